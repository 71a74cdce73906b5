/** The schemas of the kinds in the form in which kubectl looks them up: to validate, and to explain. */
import { crdOf } from '../../resources/crd/crd.ts'
import { isObject } from '../../resources/problem.ts'
import { RESOURCES, type Resource, VERSION } from './kinds.ts'
import { GROUP } from './refusal.ts'

const PATH = `/openapi/v3/apis/${GROUP}/${VERSION}`

const INDEX = { paths: { [`apis/${GROUP}/${VERSION}`]: { serverRelativeURL: `${PATH}?hash=${VERSION}` } } }

/** undefined: there is nothing under this path. */
export function openApiAt(path: string): object | undefined {
  if (path === '/openapi/v3') return INDEX
  return path === PATH ? whole() : undefined
}

const whole = (): object => ({
  openapi: '3.0.0',
  info: { title: 'Keyward', version: VERSION },
  paths: Object.fromEntries(RESOURCES.map((resource) => [pathOf(resource), operationsOn(resource)])),
  components: { schemas: Object.fromEntries(RESOURCES.map((resource) => [nameOf(resource), schemaOf(resource)])) },
})

const nameOf = ({ kind }: Resource): string => `dev.keyward.${VERSION}.${kind}`
const kindOf = ({ kind }: Resource) => ({ group: GROUP, version: VERSION, kind })

const pathOf = ({ namespaced, plural }: Resource): string =>
  `/apis/${GROUP}/${VERSION}/${namespaced ? 'namespaces/{namespace}/' : ''}${plural}/{name}`

const parameter = (name: string) => ({ name, in: 'query', schema: { type: 'string' } })

function operationsOn(resource: Resource): object {
  const schema = { $ref: `#/components/schemas/${nameOf(resource)}` }
  const responses = { 200: { description: 'OK', content: { 'application/json': { schema } } } }
  const about = { responses, 'x-kubernetes-group-version-kind': kindOf(resource) }
  return {
    get: { ...about, 'x-kubernetes-action': 'get' },
    patch: {
      ...about,
      // by these kubectl tells that wrong fields are refused here, so that it need not look for them itself
      parameters: [parameter('dryRun'), parameter('fieldManager'), parameter('fieldValidation')],
      'x-kubernetes-action': 'patch',
    },
  }
}

function schemaOf(resource: Resource): object {
  const { spec } = crdOf(resource.kind)
  const [version] = isObject(spec) && Array.isArray(spec.versions) ? spec.versions : []
  const schema = version?.schema?.openAPIV3Schema ?? {}
  const text = (description: string) => ({ type: 'string', description })
  const properties = { ...schema.properties, apiVersion: text('The group and its version.'), kind: text('The kind.') }
  return { ...schema, properties, 'x-kubernetes-group-version-kind': [kindOf(resource)] }
}
