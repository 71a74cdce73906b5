/** The webhooks' HTTP face: one AdmissionReview in, one out, bounded in size and time. What it carries is never logged. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import express, { type ErrorRequestHandler } from 'express'
import { Trouble } from '../core/trouble.ts'
import { type AdmissionRequest, type Answer, composeAnswer, parseReview } from './admission-request.ts'
import { BOUNDS, type Body, type Bounds, makeBodies } from './bodies.ts'

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
  readonly bounds?: Bounds
}

/** @param gone nobody waits for the answer any more */
type Endpoint = (request: AdmissionRequest, gone: AbortSignal) => Promise<Answer> | Answer

export function admissionListener(served: Served): RequestListener<typeof IncomingMessage> {
  const { deadlineMs, pause, bounds = BOUNDS } = served
  const bodies = makeBodies({ withinMs: deadlineMs, pause, bounds })
  const app = express()
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').enable('strict routing')
  for (const [path, act] of Object.entries(served.endpoints)) {
    const answer = answering({ ...served, bounds }, path, act)
    app
      .route(path)
      // a caller that went away in the middle
      .post((request, response) => bodies.taking(request, answer(response)).catch(() => void response.destroy()))
      .all((_request, response) => refuse(response, 405, 'a webhook is called by POST'))
  }
  app.use((_request, response) => refuse(response, 404, 'no such webhook'))
  app.use(unreadable)
  return app
}

/** In place of what Express would do: print the error, and show it to whoever asked. It knows this by the four parameters. */
const unreadable: ErrorRequestHandler = (_error, _request, response, _next) =>
  refuse(response, 400, 'not a request that can be read')

function answering(served: Served & { readonly bounds: Bounds }, path: string, act: Endpoint) {
  return (response: ServerResponse) => {
    const began = served.steadyMs()
    const count = (answer: string) => served.counted(path, answer, served.steadyMs() - began)
    return async (body: Body): Promise<void> => {
      const review = reviewIn(body, served.bounds)
      if ('status' in review) {
        count(review.status === 503 ? 'unavailable' : 'bad_request')
        return refuse(response, review.status, review.problem)
      }
      const answer = await bounded(act, review, served)
      count(answer.allowed ? 'allowed' : answer.code === 503 ? 'unavailable' : 'refused')
      reply(response, 200, composeAnswer(review.uid, answer))
    }
  }
}

type Unusable = { readonly status: 400 | 413 | 503; readonly problem: string }

function reviewIn(body: Body, { bytes, values }: Bounds): AdmissionRequest | Unusable {
  switch (body.kind) {
    case 'json': {
      const parsed = parseReview(body.value)
      return parsed.ok ? parsed.value : { status: 400, problem: parsed.problem }
    }
    case 'notJson':
      return { status: 400, problem: 'not JSON' }
    case 'tooLarge':
      return { status: 413, problem: `more than ${bytes} bytes, or than ${values} values` }
    default:
      return { status: 503, problem: 'too many reviews at once; try again' }
  }
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
    return unavailable(ASK_AGAIN)
  }
  const work = async (): Promise<Answer> => {
    try {
      return await act(request, done.signal)
    } catch (error) {
      if (!done.signal.aborted) trouble(codeOf(error))
      return unavailable(wordsFor(error))
    } finally {
      done.abort()
    }
  }
  // the first of two that are through at once wins
  const working = work()
  return Promise.race([working, late()])
}

const unavailable = (message: string): Answer => ({ allowed: false, code: 503, message })

const codeOf = (error: unknown): string => (error instanceof Trouble ? error.code : 'admission_failed')

const ASK_AGAIN = 'Keyward could not ask the API server what you may grant, so nothing was changed; try again.'

/** What passes is worth another try; what doesn't is for somebody to mend. */
const wordsFor = (error: unknown): string =>
  error instanceof Trouble && error.fate === 'retry'
    ? ASK_AGAIN
    : `Keyward could not judge this (${codeOf(error)}), so nothing was changed. Trying again will not help: whoever runs Keyward finds this code in the operator's log.`

const refuse = (response: ServerResponse, status: number, problem: string): void => {
  response.setHeader('connection', 'close')
  reply(response, status, { problem })
}

function reply(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
