import { expect, test } from 'vitest'
import { deny } from '../../src/core/denial.ts'
import { makeNotes } from '../../src/runtime/notes.ts'
import { makeRecentChecks } from '../../src/runtime/recent-checks.ts'
import { aKeyRecord, aRequest } from '../support/make.ts'

type Line = { readonly level: string; readonly fields: unknown; readonly message: string }

function notesWith(level: 'debug' | 'info') {
  const lines: Line[] = []
  const counted: string[] = []
  let now = 0
  const at = (name: string) => (fields: unknown, message: string) => {
    lines.push({ level: name, fields, message })
  }
  const log = {
    debug: at('debug'),
    warn: at('warn'),
    isLevelEnabled: (asked: string) => asked !== 'debug' || level === 'debug',
  }
  const metrics = {
    countCheck: (listener: string, environment: string, code: string) =>
      counted.push(`${listener} ${environment} ${code}`),
    countAnswer: (kind: string) => counted.push(kind),
  }
  // a log in the shape of pino's, for which only these three are asked
  const notes = makeNotes({
    log: log as never,
    metrics: metrics as never,
    recent: makeRecentChecks(),
    nowMs: () => now,
  })
  return {
    notes,
    lines,
    counted,
    pass: (ms: number) => {
      now += ms
    },
  }
}

test('every check is counted, and told one by one only at debug', () => {
  const verdict = { ...deny('key_expired', 'expired'), record: aKeyRecord(), caller: [] }
  for (const level of ['info', 'debug'] as const) {
    const { notes, lines, counted } = notesWith(level)
    notes.check('http')(aRequest(), verdict)
    expect(counted).toEqual(['http production key_expired'])
    expect(lines.map(({ message }) => message)).toEqual(level === 'debug' ? ['check'] : [])
  }
})

test('every check is kept by its request ID; of what stays open, only that it was cut', () => {
  const { notes, pass } = notesWith('info')
  const record = aKeyRecord()
  const allowed = { kind: 'allow', record, match: undefined, upstream: [], narrowing: undefined, caller: [] } as const
  const request = aRequest({ requestId: 'r-1' })
  notes.check('proxy')(request, allowed)
  pass(5000)
  notes.check('recheck')(request, allowed)
  expect(notes.answered('r-1').map(({ listener, code }) => [listener, code])).toEqual([['proxy', 'allow']])
  notes.check('recheck')(request, { ...deny('key_inactive', 'suspended'), record, caller: [] })
  expect(notes.answered('r-1').map(({ listener, code, at }) => [listener, code, at])).toEqual([
    ['recheck', 'key_inactive', '1970-01-01T00:00:05.000Z'],
    ['proxy', 'allow', '1970-01-01T00:00:00.000Z'],
  ])
})

test('an upstream in trouble is told at once, then every ten seconds with how often it came', () => {
  const { notes, lines, pass, counted } = notesWith('info')
  for (let i = 0; i < 5; i++) notes.proxy('upstream_unavailable', `r${i}`, 'ECONNREFUSED')
  expect(lines).toEqual([
    {
      level: 'warn',
      fields: { kind: 'upstream_unavailable', requestId: 'r0', why: 'ECONNREFUSED' },
      message: 'the upstream is in trouble',
    },
  ])
  pass(10_000)
  notes.proxy('upstream_unavailable', 'r5', 'ECONNREFUSED')
  expect(lines.at(-1)?.fields).toMatchObject({ requestId: 'r5', alsoSinceLastTold: 4 })
  expect(counted).toHaveLength(6)
})

test('a proxy that does not say what it asks about is counted and told', () => {
  const { notes, lines, counted } = notesWith('info')
  notes.untold('nginx', { ...deny('ambiguous_request', 'not one X-Original-URI'), caller: [] }, 'proxy')
  expect(counted).toEqual(['http  ambiguous_request'])
  expect(lines[0]).toMatchObject({ level: 'warn', fields: { family: 'nginx', why: 'not one X-Original-URI' } })
})

test('what a caller wrote that is no single request is counted, and no warning about the proxy', () => {
  for (const level of ['info', 'debug'] as const) {
    const { notes, lines, counted } = notesWith(level)
    notes.untold('grpc', { ...deny('ambiguous_path', 'a ! in the path'), caller: [] }, 'caller')
    notes.untold('nginx', { ...deny('ambiguous_request', 'too many'), caller: [] }, 'caller')
    expect(counted).toEqual(['grpc  ambiguous_path', 'http  ambiguous_request'])
    expect(lines.filter((line) => line.level !== 'debug')).toEqual([])
  }
})

test('a question of the gRPC listener is counted there', () => {
  const { notes, lines, counted } = notesWith('info')
  notes.untold('grpc', { ...deny('ambiguous_path', 'a query beside the path'), caller: [] }, 'proxy')
  expect(counted).toEqual(['grpc  ambiguous_path'])
  expect(lines).toEqual([
    {
      level: 'warn',
      fields: { family: 'grpc', why: 'a query beside the path' },
      message: 'a proxy does not say what it asks about',
    },
  ])
})
