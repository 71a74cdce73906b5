import { BlockList, isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contains, parseAddress, parseCidr } from '../../src/core/address.ts'

const inside = (cidr: string, address: string): boolean => {
  const block = parseCidr(cidr)
  const parsed = parseAddress(address)
  if (!block.ok || parsed === undefined) throw new Error(`${cidr} ${address}`)
  return contains(block.value, parsed)
}

describe('an address', () => {
  test.each([
    ['0.0.0.0', 0xffff00000000n],
    ['203.0.113.7', 0xffffcb007107n],
    ['255.255.255.255', 0xffffffffffffn],
    ['::', 0n],
    ['::1', 1n],
    ['1::', 0x00010000000000000000000000000000n],
    ['2001:db8::7', 0x20010db8000000000000000000000007n],
    ['2001:DB8:0:0:0:0:0:7', 0x20010db8000000000000000000000007n],
    ['1:2:3:4:5:6:7:8', 0x00010002000300040005000600070008n],
    ['1:2:3:4:5:6:7::', 0x00010002000300040005000600070000n],
    ['::2:3:4:5:6:7:8', 0x00000002000300040005000600070008n],
    ['::ffff:203.0.113.7', 0xffffcb007107n],
    ['::FFFF:cb00:7107', 0xffffcb007107n],
    ['64:ff9b::192.0.2.33', 0x0064ff9b0000000000000000c0000221n],
    ['ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255', 0xffffffffffffffffffffffffffffffffn],
  ])('%s is read as its 128 bits', (text, bits) => {
    expect(parseAddress(text)).toBe(bits)
  })

  test.each([
    '',
    ' ',
    'localhost',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.4.',
    '.1.2.3.4',
    '1..2.3',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.004',
    '0x1.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '1.2.3.4:80',
    '1.2.3.4/32',
    '3405803783',
    ':',
    ':::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '1::2::3',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    '12345::',
    'g::',
    '[::1]',
    'fe80::1%eth0',
    '::1.2.3',
    '::1.2.3.4:5',
    '1.2.3.4::',
    '::1.2.3.4:1.2.3.4',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::01.2.3.4',
    '203.0.113.7, 10.0.0.1',
    'unknown',
  ])('%j is none', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })

  test('what counts as an address agrees with node, but for zones', () => {
    const piece = fc.constantFrom(
      '1',
      '25',
      '255',
      '256',
      '0',
      '00',
      'ff',
      'FFFF',
      '12345',
      'g',
      '.',
      '.',
      ':',
      ':',
      '::',
      '1.2.3.4',
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 17 }).map((pieces) => pieces.join('')),
        (text) => {
          expect(parseAddress(text) !== undefined).toBe(isIPv4(text) || isIPv6(text))
        },
      ),
      { numRuns: 1500 },
    )
  })
})

describe('a block', () => {
  test.each([
    ['203.0.113.0/24', '203.0.113.0', true],
    ['203.0.113.0/24', '203.0.113.255', true],
    ['203.0.113.0/24', '203.0.114.0', false],
    ['203.0.113.0/24', '203.0.112.255', false],
    ['203.0.113.7/32', '203.0.113.7', true],
    ['203.0.113.7/32', '203.0.113.6', false],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '::ffff:1.2.3.4', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['203.0.113.0/24', '::ffff:203.0.113.9', true],
    ['::ffff:203.0.113.0/120', '203.0.113.9', true],
    ['::ffff:0:0/96', '10.0.0.1', true],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['::1/128', '::1', true],
    ['::1/128', '::2', false],
    ['::/0', '2001:db8::1', true],
    ['10.0.0.0/8', '::10.0.0.1', false],
  ])('%s and the address %s: %s', (cidr, address, answer) => {
    expect(inside(cidr, address)).toBe(answer)
  })

  test.each([
    ['no length', '203.0.113.0', 'not a CIDR block such as 203.0.113.0/24'],
    ['an empty length', '203.0.113.0/', 'not a CIDR block such as 203.0.113.0/24'],
    ['a signed length', '203.0.113.0/+24', 'not a CIDR block such as 203.0.113.0/24'],
    ['a length with a zero in front', '203.0.113.0/024', 'not a CIDR block such as 203.0.113.0/24'],
    ['a mask', '203.0.113.0/255.255.255.0', 'not a CIDR block such as 203.0.113.0/24'],
    ['two lengths', '203.0.113.0/24/24', 'not a CIDR block such as 203.0.113.0/24'],
    ['no address', '/24', 'not a CIDR block such as 203.0.113.0/24'],
    ['a name', 'example.com/24', 'not a CIDR block such as 203.0.113.0/24'],
    ['a short address', '10/8', 'not a CIDR block such as 203.0.113.0/24'],
    ['a line feed behind', '203.0.113.0/24\n', 'not a CIDR block such as 203.0.113.0/24'],
    ['a length too long for IPv4', '203.0.113.0/33', '/33 is longer than an address'],
    ['a length too long for IPv6', '::/129', '/129 is longer than an address'],
    ['host bits', '203.0.113.7/24', 'host bits are set: write the first address of the block'],
    ['host bits of IPv6', '2001:db8::1/64', 'host bits are set: write the first address of the block'],
  ])('%s is refused', (_what, text, problem) => {
    expect(parseCidr(text)).toEqual({ ok: false, problem })
  })

  test('contains what a BlockList of node contains, for random blocks and addresses near them', () => {
    const v4 = fc.tuple(fc.constant(false), fc.bigInt(0n, 0xffffffffn), fc.integer({ min: 0, max: 32 }))
    const v6 = fc.tuple(fc.constant(true), fc.bigInt(0n, 2n ** 128n - 1n), fc.integer({ min: 0, max: 128 }))
    fc.assert(
      fc.property(
        fc.oneof(v4, v6),
        fc.integer({ min: 0, max: 128 }),
        fc.boolean(),
        ([wide, bits, prefix], flip, mapped) => {
          const length = wide ? 128n : 32n
          const shift = length - BigInt(prefix)
          const first = (bits >> shift) << shift
          // an address that differs from the block's in one bit, inside it or outside
          const near = bits ^ (1n << (BigInt(flip) % length))
          const written = wide ? textOf6(near) : mapped ? `::ffff:${textOf4(near)}` : textOf4(near)
          const list = new BlockList()
          list.addSubnet(wide ? textOf6(first) : textOf4(first), prefix, wide ? 'ipv6' : 'ipv4')
          const wanted = list.check(wide || !mapped ? written : textOf4(near), wide ? 'ipv6' : 'ipv4')
          expect(inside(`${wide ? textOf6(first) : textOf4(first)}/${prefix}`, written)).toBe(wanted)
          expect(wanted).toBe(near >> shift === first >> shift)
        },
      ),
      { numRuns: 500 },
    )
  })
})

const textOf4 = (bits: bigint): string => [24n, 16n, 8n, 0n].map((shift) => (bits >> shift) & 0xffn).join('.')

const textOf6 = (bits: bigint): string =>
  Array.from({ length: 8 }, (_, i) => ((bits >> BigInt(112 - 16 * i)) & 0xffffn).toString(16)).join(':')
