/** The webhooks' HTTP face: one AdmissionReview in, one out, bounded in size and time. What it carries is never logged. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { Trouble } from '../core/trouble.ts'
import { type AdmissionRequest, type Answer, composeAnswer, parseReview } from './admission-request.ts'

export type Served = {
  /** By path, such as `/mutate`. */
  readonly endpoints: Readonly<Record<string, Endpoint>>
  /** Below the timeout of the webhooks, so that the refusal is ours and says why. */
  readonly deadlineMs: number
  /** Resolves early when it is to stop. */
  readonly pause: (ms: number, stop: AbortSignal) => Promise<void>
  /** `answer`: allowed, refused, unavailable, or bad_request. */
  readonly counted: (endpoint: string, answer: string, ms: number) => void
  readonly steadyMs: () => number
  /** By code only. */
  readonly trouble: (code: string) => void
}

/** @param gone nobody waits for the answer any more */
type Endpoint = (request: AdmissionRequest, gone: AbortSignal) => Promise<Answer> | Answer

/** Two objects of what the API server takes (3 MiB), and what lies around them. */
const MAX_BODY_BYTES = 7 * 1024 * 1024

const UNAVAILABLE = 'Keyward could not ask the API server what you may grant, so nothing was changed; try again.'

export function admissionListener(served: Served): RequestListener<typeof IncomingMessage> {
  return (request, response) => {
    const path = (request.url ?? '').replace(/\?.*$/s, '')
    const act = Object.hasOwn(served.endpoints, path) ? served.endpoints[path] : undefined
    if (act === undefined) return refuse(response, 404, 'no such webhook')
    if (request.method !== 'POST') return refuse(response, 405, 'a webhook is called by POST')
    const began = served.steadyMs()
    const count = (answer: string) => served.counted(path, answer, served.steadyMs() - began)
    bodyOf(request)
      .then(async (body) => {
        const review = reviewIn(body)
        if ('status' in review) {
          count('bad_request')
          return refuse(response, review.status, review.problem)
        }
        const answer = await bounded(act, review, served)
        count(answer.allowed ? 'allowed' : answer.code === 503 ? 'unavailable' : 'refused')
        reply(response, 200, composeAnswer(review.uid, answer))
      })
      // a caller that went away in the middle
      .catch(() => response.destroy())
  }
}

function reviewIn(body: unknown): AdmissionRequest | { readonly status: 400 | 413; readonly problem: string } {
  if (body === TOO_LARGE) return { status: 413, problem: `more than ${MAX_BODY_BYTES} bytes` }
  const parsed = body === undefined ? undefined : parseReview(body)
  return parsed?.ok === true ? parsed.value : { status: 400, problem: parsed?.problem ?? 'not JSON' }
}

/** Never a yes where something failed. */
async function bounded(
  act: Endpoint,
  request: AdmissionRequest,
  { deadlineMs, pause, trouble }: Served,
): Promise<Answer> {
  const done = new AbortController()
  const late = async (): Promise<Answer> => {
    await pause(deadlineMs, done.signal)
    if (!done.signal.aborted) trouble('admission_late')
    done.abort()
    return { allowed: false, code: 503, message: UNAVAILABLE }
  }
  const work = async (): Promise<Answer> => {
    try {
      return await act(request, done.signal)
    } catch (error) {
      if (!done.signal.aborted) trouble(error instanceof Trouble ? error.code : 'admission_failed')
      return { allowed: false, code: 503, message: UNAVAILABLE }
    } finally {
      done.abort()
    }
  }
  // the first of two that are through at once wins
  const working = work()
  return Promise.race([working, late()])
}

const TOO_LARGE = Symbol('too large')

/** undefined: not JSON. */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) return TOO_LARGE
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    return undefined
  }
}

const refuse = (response: ServerResponse, status: number, problem: string): void => {
  response.setHeader('connection', 'close')
  reply(response, status, { problem })
}

function reply(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
