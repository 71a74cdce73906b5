import { describe, expect, test } from 'vitest'
import { canonicalHost, compileHosts } from '../../src/core/host.ts'
import { anApi } from '../support/make.ts'

describe('one spelling of a host', () => {
  test.each([
    ['as it is', 'api.example.com', 'api.example.com'],
    ['in upper case', 'API.Example.COM', 'api.example.com'],
    ['with a port', 'api.example.com:8443', 'api.example.com'],
    ['with an empty port', 'api.example.com:', 'api.example.com'],
    ['with the highest port', 'api.example.com:65535', 'api.example.com'],
    ['with a trailing dot', 'api.example.com.', 'api.example.com'],
    ['with a trailing dot and a port', 'API.example.com.:443', 'api.example.com'],
    ['of one label', 'localhost', 'localhost'],
    ['with an underscore', 'my_api.example.com', 'my_api.example.com'],
    ['in punycode', 'xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['that is an IPv4 address', '127.0.0.1:8080', '127.0.0.1'],
    ['that is an IPv6 address', '[::1]', '[::1]'],
    ['that is an IPv6 address with a port, in upper case', '[2001:DB8::A]:8080', '[2001:db8::a]'],
    ['of labels of 63 letters', `${'a'.repeat(63)}.example`, `${'a'.repeat(63)}.example`],
  ])('a host %s: %s', (_what, authority, host) => {
    expect(canonicalHost(authority)).toBe(host)
  })

  test.each([
    ['nothing', ''],
    ['a dot', '.'],
    ['a port alone', ':80'],
    ['user information', 'api.example.com@evil.example'],
    ['user information with a password', 'a:b@api.example.com'],
    ['two hosts', 'api.example.com, staging.example.com'],
    ['two hosts without a space', 'api.example.com,staging.example.com'],
    ['two trailing dots', 'api.example.com..'],
    ['an empty label', 'api..example.com'],
    ['a leading dot', '.example.com'],
    ['a leading hyphen', '-api.example.com'],
    ['a trailing hyphen', 'api-.example.com'],
    ['a wildcard', '*.example.com'],
    ['a port too high', 'api.example.com:99999'],
    ['a port of letters', 'api.example.com:http'],
    ['a signed port', 'api.example.com:+80'],
    ['two ports', 'api.example.com:80:80'],
    ['a path', 'api.example.com/'],
    ['a query', 'api.example.com?x'],
    ['a fragment', 'api.example.com#x'],
    ['a backslash', 'api.example.com\\x'],
    ['a space in front', ' api.example.com'],
    ['a space behind', 'api.example.com '],
    ['a tab', 'api.example.com\t'],
    ['a line feed', 'api.example.com\n'],
    ['a NUL', 'api.example.com\u0000'],
    ['a percent sign', 'api%2eexample.com'],
    ['a letter beyond ASCII', 'äpi.example.com'],
    ['a letter that lower case makes ASCII', 'api.example.\u212aom'],
    ['a fullwidth dot', 'api．example.com'],
    ['a label of 64 letters', `${'a'.repeat(64)}.example`],
    ['a name of 254 letters', `${'a.'.repeat(126)}aa`],
    ['brackets without an address', '[]'],
    ['brackets that do not close', '[::1'],
    ['a zone', '[fe80::1%25eth0]'],
    ['letters behind brackets', '[::1]x'],
    ['a bare IPv6 address', '::1'],
    ['a scheme', 'http://api.example.com'],
  ])('%s is no host', (_what, authority) => {
    expect(canonicalHost(authority)).toBeUndefined()
  })

  test('a host of 253 letters is the longest', () => {
    const longest = `${'a.'.repeat(126)}a`
    expect(longest).toHaveLength(253)
    expect(canonicalHost(longest)).toBe(longest)
  })

  test('a canonical host is its own canonical form', () => {
    for (const text of ['a.b', 'A.B:80', 'a.b.', '[::1]:80', 'x_y.z']) {
      const once = canonicalHost(text) ?? ''
      expect(canonicalHost(once)).toBe(once)
    }
  })
})

describe('which API a host belongs to', () => {
  const shop = anApi({
    name: 'team-shop/shop',
    environments: [
      { name: 'production', hosts: ['shop.example.com', 'www.shop.example.com'] },
      { name: 'development', hosts: ['*.dev.example.com', '*.localhost'] },
    ],
  })
  const special = anApi({ name: 'team-x/special', environments: [{ name: 'staging', hosts: ['x.dev.example.com'] }] })
  const late = anApi({
    name: 'team-late/late',
    environments: [{ name: 'production', hosts: ['shop.example.com', '*.dev.example.com', 'late.example.com'] }],
  })
  const { hosts, conflicts } = compileHosts([shop, special, late])
  const found = (host: string) => {
    const served = hosts.find(host)
    return served === undefined ? undefined : `${served.api.name} ${served.environment}`
  }

  test.each([
    ['an exact host', 'shop.example.com', 'team-shop/shop production'],
    ['a second host of an environment', 'www.shop.example.com', 'team-shop/shop production'],
    ['one label under a wildcard', 'a.dev.example.com', 'team-shop/shop development'],
    ['one label under a wildcard of one label', 'a.localhost', 'team-shop/shop development'],
    ["an exact host under another API's wildcard", 'x.dev.example.com', 'team-x/special staging'],
    ['a host that only the later API names', 'late.example.com', 'team-late/late production'],
    ['two labels under a wildcard', 'a.b.dev.example.com', undefined],
    ['the wildcard without a label', 'dev.example.com', undefined],
    ['the wildcard of one label without a label', 'localhost', undefined],
    ['a host that ends alike', 'evilshop.example.com', undefined],
    ['a host that begins alike', 'shop.example.com.evil.example', undefined],
    ['a name that every object has', 'constructor', undefined],
  ])('%s: %s', (_what, host, wanted) => {
    expect(found(host)).toBe(wanted)
  })

  test('a host that two APIs name stays with the first, and the second is told who has it', () => {
    expect(found('shop.example.com')).toBe('team-shop/shop production')
    expect(conflicts).toEqual([
      { api: 'team-late/late', host: 'shop.example.com', holder: 'team-shop/shop' },
      { api: 'team-late/late', host: '*.dev.example.com', holder: 'team-shop/shop' },
    ])
  })

  test('a host that one API names for two environments stays with the first of them', () => {
    const twice = anApi({
      environments: [
        { name: 'production', hosts: ['a.example.com'] },
        { name: 'staging', hosts: ['a.example.com'] },
      ],
    })
    const compiled = compileHosts([twice])
    expect(compiled.hosts.find('a.example.com')?.environment).toBe('production')
    expect(compiled.conflicts).toHaveLength(1)
  })
})
