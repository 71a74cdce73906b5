import { describe, expect, test } from 'vitest'
import {
  type AccessNamespace,
  buildTree,
  NAMESPACE_TYPES,
  type NamespaceTree,
  type NamespaceType,
} from '../../src/core/namespace.ts'
import { type Draw, seeded } from '../corpus/seeded.ts'
import { anAccessNamespace, NAMESPACES } from '../support/make.ts'

const names = (found: readonly AccessNamespace[]) => found.map(({ name }) => name)
const inside = (tree: NamespaceTree, name: string, type: NamespaceType) => names(tree.within(name, type).namespaces)

describe('the tree of two organizations', () => {
  const { tree, problems } = buildTree(NAMESPACES)

  test('has nothing to complain of', () => {
    expect(problems).toEqual([])
    expect(NAMESPACES.every(({ name }) => tree.get(name)?.name === name)).toBe(true)
  })

  test.each([
    ['acme', ['acme']],
    ['acme-web', ['acme-web', 'acme']],
    ['acme-web-eu', ['acme-web-eu', 'acme-web', 'acme']],
    ['acme-web-admins', ['acme-web-admins', 'acme-web', 'acme']],
    ['acme-staff', ['acme-staff', 'acme']],
    ['nobody', []],
    ['constructor', []],
  ])('the lineage of %s is %j', (name, line) => {
    expect(names(tree.lineage(name))).toEqual(line)
  })

  test.each<[string, NamespaceType, string[]]>([
    ['acme', 'workspace', ['acme-shop-eu', 'acme-web-eu', 'acme-web-us']],
    ['acme', 'application', ['acme-shop', 'acme-web']],
    ['acme', 'userGroup', ['acme-staff', 'acme-web-admins']],
    ['acme', 'organization', []],
    ['acme-web', 'workspace', ['acme-web-eu', 'acme-web-us']],
    ['acme-web', 'userGroup', ['acme-web-admins']],
    ['acme-web', 'application', []],
    ['acme-web-eu', 'workspace', []],
    ['globex', 'workspace', ['globex-web-eu']],
    ['nobody', 'workspace', []],
  ])('within %s lie, of type %s, %j', (name, type, found) => {
    expect(inside(tree, name, type)).toEqual(found)
    expect(inside(tree, name, type)).toEqual(found)
  })

  test('what lies inside is put together once, and what of it is held once for each set', () => {
    const held = new Set(['acme-web-us', 'globex-web-eu'])
    expect(tree.within('acme', 'workspace')).toBe(tree.within('acme', 'workspace'))
    const found = tree.heldWithin('acme', 'workspace', held)
    expect(found).toBe(tree.heldWithin('acme', 'workspace', held))
    expect([names(found.namespaces), found.list, found.ids]).toEqual([
      ['acme-web-us'],
      { plain: 'us-1', encoded: 'us-1' },
      new Set(['us-1']),
    ])
    expect(names(tree.heldWithin('acme-shop', 'workspace', held).namespaces)).toEqual([])
    expect(names(tree.heldWithin('globex', 'workspace', held).namespaces)).toEqual(['globex-web-eu'])
    expect(names(tree.heldWithin('acme', 'workspace', new Set(['acme-web-eu'])).namespaces)).toEqual(['acme-web-eu'])
  })

  test.each<[NamespaceType, string, string | undefined]>([
    ['workspace', 'eu-1', 'acme-web-eu'],
    ['workspace', 'acme-web-eu', undefined],
    ['application', 'acme-web', 'acme-web'],
    ['organization', 'eu-1', undefined],
    ['workspace', '', undefined],
  ])('the %s with external id %j is %s', (type, externalId, name) => {
    expect(tree.byExternalId(type, externalId)?.name).toBe(name)
  })
})

describe('what does not fit is left out and named', () => {
  const acme = anAccessNamespace({ name: 'acme', type: 'organization' })
  const web = anAccessNamespace({ name: 'web', type: 'application', parent: 'acme' })

  test.each<[string, AccessNamespace[], { name: string; reason: string; field: string; problem: string }[]]>([
    [
      'a parent that is not there',
      [anAccessNamespace({ name: 'x', type: 'application', parent: 'gone' })],
      [{ name: 'x', reason: 'ParentMissing', field: 'parent', problem: 'there is no AccessNamespace gone' }],
    ],
    [
      'no parent where one is needed',
      [anAccessNamespace({ name: 'x', type: 'workspace' })],
      [{ name: 'x', reason: 'ParentMissing', field: 'parent', problem: 'there is no AccessNamespace ' }],
    ],
    [
      'an organization with a parent',
      [anAccessNamespace({ name: 'x', type: 'organization', parent: 'acme' })],
      [{ name: 'x', reason: 'ParentNotAllowed', field: 'parent', problem: 'an organization has no parent' }],
    ],
    [
      'a workspace under an organization',
      [anAccessNamespace({ name: 'x', type: 'workspace', parent: 'acme' })],
      [
        {
          name: 'x',
          reason: 'ParentWrongType',
          field: 'parent',
          problem: 'acme is of type organization; above type workspace stands type application',
        },
      ],
    ],
    [
      'a user group under a workspace',
      [
        anAccessNamespace({ name: 'eu', type: 'workspace', parent: 'web' }),
        anAccessNamespace({ name: 'x', type: 'userGroup', parent: 'eu' }),
      ],
      [
        {
          name: 'x',
          reason: 'ParentWrongType',
          field: 'parent',
          problem: 'eu is of type workspace; above type userGroup stands type application or organization',
        },
      ],
    ],
    [
      'an external id of another of its type: the first has it',
      [anAccessNamespace({ name: 'x', type: 'application', parent: 'acme', externalId: 'web' })],
      [{ name: 'x', reason: 'ExternalIdTaken', field: 'externalId', problem: 'web is already the application web' }],
    ],
    [
      'what hangs below one that is left out',
      [
        anAccessNamespace({ name: 'a', type: 'application', parent: 'gone' }),
        anAccessNamespace({ name: 'w', type: 'workspace', parent: 'a' }),
      ],
      [
        { name: 'a', reason: 'ParentMissing', field: 'parent', problem: 'there is no AccessNamespace gone' },
        { name: 'w', reason: 'ParentNotAccepted', field: 'parent', problem: 'a is not accepted itself' },
      ],
    ],
    [
      'one that is its own parent',
      [anAccessNamespace({ name: 'x', type: 'application', parent: 'x' })],
      [
        {
          name: 'x',
          reason: 'ParentWrongType',
          field: 'parent',
          problem: 'x is of type application; above type application stands type organization',
        },
      ],
    ],
  ])('%s', (_what, more, problems) => {
    const built = buildTree([acme, web, ...more])
    expect(built.problems).toEqual(problems)
    for (const { name } of problems) {
      expect(built.tree.get(name)).toBeUndefined()
      expect(built.tree.lineage(name)).toEqual([])
    }
    expect(names(built.tree.lineage('web'))).toEqual(['web', 'acme'])
  })

  test('an external id may serve two types at once', () => {
    const { tree, problems } = buildTree([acme, anAccessNamespace({ ...web, externalId: 'acme' })])
    expect(problems).toEqual([])
    expect(tree.byExternalId('application', 'acme')?.name).toBe('web')
    expect(tree.byExternalId('organization', 'acme')?.name).toBe('acme')
  })

  test('an external id of one that is left out is free', () => {
    const bad = anAccessNamespace({ name: 'bad', type: 'application', parent: 'gone', externalId: 'one' })
    const good = anAccessNamespace({ name: 'good', type: 'application', parent: 'acme', externalId: 'one' })
    const { tree, problems } = buildTree([acme, bad, good])
    expect(tree.byExternalId('application', 'one')?.name).toBe('good')
    expect(problems.map(({ name }) => name)).toEqual(['bad'])
  })

  test('of two with one name the first counts', () => {
    const { tree } = buildTree([acme, web, anAccessNamespace({ ...web, externalId: 'late' })])
    expect(tree.get('web')?.externalId).toBe('web')
    expect(tree.byExternalId('application', 'late')).toBeUndefined()
  })

  test('organizations that name each other as parents close no circle', () => {
    const { tree } = buildTree([
      anAccessNamespace({ name: 'a', type: 'organization', parent: 'b' }),
      anAccessNamespace({ name: 'b', type: 'organization', parent: 'a' }),
      anAccessNamespace({ name: 'w', type: 'application', parent: 'a' }),
    ])
    expect(tree.lineage('w')).toEqual([])
    expect(inside(tree, 'a', 'application')).toEqual([])
  })

  test('what comes before its parent is accepted all the same', () => {
    expect(buildTree([web, acme]).problems).toEqual([])
    expect(inside(buildTree(NAMESPACES.toReversed()).tree, 'acme', 'workspace')).toEqual([
      'acme-shop-eu',
      'acme-web-eu',
      'acme-web-us',
    ])
  })
})

// A forest that fits, drawn: each namespace under a random parent that its type may have.
function drawForest(draw: Draw): readonly AccessNamespace[] {
  const above = {
    organization: [],
    application: ['organization'],
    workspace: ['application'],
    userGroup: ['application', 'organization'],
  }
  const all: AccessNamespace[] = []
  for (const type of NAMESPACE_TYPES) {
    const count = 1 + draw.below(type === 'workspace' ? 12 : 4)
    for (let i = 0; i < count; i++) {
      const parents: readonly string[] = above[type]
      const possible = all.filter((one) => parents.includes(one.type))
      const parent = type === 'organization' ? undefined : draw.pick(possible).name
      all.push(anAccessNamespace({ name: `${type}-${draw.below(1e6)}-${i}`, type, parent, externalId: `id-${i}` }))
    }
  }
  return all
}

test('in random forests lineage and within are what a naive walk from parent to parent finds', () => {
  const draw = seeded(3)
  for (let t = 0; t < 40; t++) {
    const all = drawForest(draw)
    const { tree, problems } = buildTree(all)
    expect(problems).toEqual([])
    const up = (name: string | undefined): string[] => {
      const one = all.find((namespace) => namespace.name === name)
      return one === undefined ? [] : [one.name, ...up(one.parent)]
    }
    for (const { name } of all) {
      expect(names(tree.lineage(name))).toEqual(up(name))
      for (const type of NAMESPACE_TYPES) {
        const below = all.filter((one) => one.type === type && one.name !== name && up(one.name).includes(name))
        expect(inside(tree, name, type)).toEqual(names(below).sort())
      }
    }
  }
})
