import { describe, expect, test } from 'vitest'
import { readCheckRequest } from '../../src/authz/check-request-wire.ts'
import { Malformed } from '../../src/authz/protobuf-wire.ts'
import { encodeRequest } from '../support/ext-authz-proto.ts'
import { compareRequests, compareResponses } from '../support/random-ext-authz.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex')

describe('reading a CheckRequest', () => {
  test('agrees with a protobuf library on random messages: unknown fields, any order, split submessages', () => {
    compareRequests(1000, 20_261_122)
  })

  test('merges what comes in pieces, and takes the last of what comes twice', () => {
    const first = encodeRequest({
      attributes: {
        source: { address: { socketAddress: { address: '192.0.2.1' } } },
        request: { http: { method: 'GET', path: '/a', headers: { host: 'one', accept: '*/*' } } },
      },
    })
    const second = encodeRequest({
      attributes: { request: { http: { path: '/b', host: 'api.test', headers: { host: 'two' } } } },
    })
    expect(readCheckRequest(Buffer.concat([first, second]))).toMatchObject({
      method: 'GET',
      path: '/b',
      host: 'api.test',
      address: '192.0.2.1',
      headers: ['host', 'two', 'accept', '*/*'],
    })
  })

  test('gives raw values byte for byte, after those of the map', () => {
    const message = encodeRequest({
      attributes: {
        request: {
          http: {
            headers: { accept: 'a' },
            headerMap: {
              headers: [
                { key: ':path', rawValue: Buffer.from('/x') },
                { key: 'x', rawValue: Buffer.from([0x61, 0xff]) },
                { key: 'x', value: 'again' },
              ],
            },
          },
        },
      },
    })
    const read = readCheckRequest(message)
    expect(read.headers).toEqual(['accept', 'a', ':path', '/x', 'x', 'a\u00ff', 'x', 'again'])
    expect(read.pathAsBytes).toBe(true)
  })

  test('counts headers, and stops taking them where no server would', () => {
    const headers = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x-${i}`, '']))
    const read = readCheckRequest(encodeRequest({ attributes: { request: { http: { headers } } } }))
    expect(read.tooMany).toBe(true)
    expect(read.headers.length).toBeLessThan(300)
  })

  test.each([
    ['a tag that is cut off', '80'],
    ['field number 0', '00 00'],
    ['a length that goes beyond the message', '0a 05 00'],
    ['a submessage that goes beyond the one it stands in', '0a 02 0a 05'],
    ['a tag of more than 32 bits', 'ff ff ff ff 1f 00'],
    ['a number of eleven bytes', '98 06 80 80 80 80 80 80 80 80 80 80 01'],
    ['a number that is cut off', '98 06 80'],
    ['eight bytes that are cut off', '99 06 00 00'],
    ['four bytes that are cut off', '9d 06 00'],
    ['a wire type that there is not', '0e'],
    ['the end of a group that has not begun', '9c 06'],
    ['the end of another group', '9b 06 a4 06'],
    ['a group without an end', '9b 06 98 06 01'],
  ])('refuses %s', (_what, hex) => {
    expect(() => readCheckRequest(bytes(hex))).toThrow(Malformed)
  })

  test('refuses what is nested too deep, and too many fields', () => {
    expect(() => readCheckRequest(Buffer.alloc(20_000, 0x0b))).toThrow(Malformed)
    expect(() => readCheckRequest(Buffer.alloc(60_000, bytes('1001')))).toThrow(Malformed)
  })
})

test('a CheckResponse says to a protobuf library what was meant', () => {
  compareResponses(300, 7)
})
