/** A case as it is sent: its keys filled in, and what it leaves open. */
import type { FrontName, Sent } from '../fronts/front.ts'
import { type Case, HOST } from './case.ts'

export type Credential = (name: string, front: FrontName) => string

export function sentOf(one: Case, front: FrontName, credential: Credential): Sent {
  const bearer = one.key === undefined ? [] : ['Authorization', `Bearer {{key:${one.key}}}`]
  const fill = (text: string) => filled(text, (name) => credential(name, front))
  return {
    method: one.method ?? 'GET',
    target: fill(one.target ?? '/v1/things'),
    host: one.host ?? HOST,
    headers: [...bearer, ...(one.headers ?? [])].map(fill),
    body: one.body ?? '',
  }
}

function filled(text: string, credential: (name: string) => string): string {
  return text.replace(/\{\{(key|id|secret|basic):([a-z0-9@-]+)\}\}/g, (_all, what: string, name: string) => {
    const key = credential(name)
    const end = key.lastIndexOf('_')
    const [id, secret] = [key.slice(0, end), key.slice(end + 1)]
    if (what === 'id') return id
    if (what === 'secret') return secret
    return what === 'basic' ? Buffer.from(`${id}:${secret}`).toString('base64') : key
  })
}
