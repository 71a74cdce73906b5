/** The CustomResourceDefinition of each kind, made from its schema and its rules. */
import { dump } from 'js-yaml'
import { KINDS, type ManifestKind } from '../manifest.ts'
import { refuseBlanks } from './blank.ts'
import { CRD_KINDS, type CrdKind } from './kinds.ts'
import { addValidations, nodeAt, type Structural, structuralOf } from './structural.ts'

const GROUP = 'keyward.dev'

export const CRD_NAMES = Object.keys(KINDS) as ManifestKind[]

export function crdOf(kind: ManifestKind): Readonly<Record<string, unknown>> {
  const { plural, shortNames, scope, columns, selectable } = CRD_KINDS[kind]
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      scope,
      names: { kind, plural, singular: kind.toLowerCase(), shortNames, categories: ['keyward'] },
      versions: [
        {
          name: 'v1alpha1',
          served: true,
          storage: true,
          subresources: { status: {} },
          ...(selectable.length > 0 && { selectableFields: selectable.map((jsonPath) => ({ jsonPath })) }),
          additionalPrinterColumns: columns,
          schema: { openAPIV3Schema: schemaOf(kind) },
        },
      ],
    },
  }
}

/** The checked-in text of it. */
export function crdYaml(kind: ManifestKind): string {
  // once through JSON, which leaves out what is undefined
  const plain: unknown = JSON.parse(JSON.stringify(crdOf(kind)))
  return `# Made by hack/crds.ts from src/resources: change it there.\n${dump(plain, { lineWidth: 120, noRefs: true })}`
}

export const crdFile = (kind: ManifestKind): string => `${CRD_KINDS[kind].plural}.yaml`

function schemaOf(kind: ManifestKind): Structural {
  const crd = CRD_KINDS[kind]
  const root: Structural = {
    description: crd.description,
    type: 'object',
    required: ['spec'],
    properties: {
      metadata: metadataOf(kind),
      spec: refuseBlanks(structuralOf(KINDS[kind].schema.shape.spec)),
      status: structuralOf(crd.status),
    },
  }
  addRules(root, crd)
  return root
}

/** An AccessNamespace's name stands in places where only a label can. */
const metadataOf = (kind: ManifestKind): Structural =>
  kind === 'AccessNamespace'
    ? { type: 'object', properties: { name: structuralOf(KINDS.AccessNamespace.schema.shape.metadata.shape.name) } }
    : { type: 'object' }

function addRules(root: Structural, { rules, atRoot }: CrdKind): void {
  addValidations(root, atRoot)
  for (const [at, named] of rules) {
    for (const one of named.flatMap(({ cluster }) => cluster)) {
      if ('webhook' in one) continue
      const { on = '', ...rule } = one
      addValidations(nodeAt(nodeAt(root, at), on), [rule])
    }
  }
}
