/**
 * So many calls a second over one connection, as one worker of Envoy makes them, whether or not the ones before are answered:
 * prints how long they took in microseconds. A process of its own, on a core of its own.
 * (h2load sends what is due every 10 ms in one burst, and so measures its own queue.)
 */
import { readFileSync } from 'node:fs'
import { connect } from 'node:http2'

const [port, body, perSecond, seconds] = process.argv.slice(2)
const message = readFileSync(body ?? '')
const pace = Number(perSecond) / 1000
const session = connect(`http://127.0.0.1:${port}`)
const head = {
  ':method': 'POST',
  ':path': '/envoy.service.auth.v3.Authorization/Check',
  'content-type': 'application/grpc',
  te: 'trailers',
}

/** The first of them warm up both sides. */
const WARM_UP_MS = 2000
const took: number[] = []
const startMs = performance.now()
const endMs = startMs + WARM_UP_MS + Number(seconds) * 1000
let [sent, open] = [0, 0]

function send(): void {
  const atMs = performance.now()
  const stream = session.request(head)
  open++
  stream.on('data', () => undefined)
  stream.on('end', () => {
    open--
    if (atMs - startMs > WARM_UP_MS) took.push((performance.now() - atMs) * 1000)
  })
  stream.on('error', () => process.exit(1))
  stream.end(message)
}

const tick = setInterval(() => {
  const now = performance.now()
  for (const due = (now - startMs) * pace; sent < due; sent++) send()
  if (now < endMs) return
  clearInterval(tick)
  setTimeout(() => {
    took.sort((a, b) => a - b)
    const at = (share: number) => Math.round(took[Math.floor(took.length * share)] ?? 0)
    console.log(JSON.stringify({ calls: took.length, unanswered: open, p50Us: at(0.5), p99Us: at(0.99) }))
    process.exit()
  }, 500)
}, 1)
