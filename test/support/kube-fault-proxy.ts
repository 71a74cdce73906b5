/** Between a client and the API server, with the TLS of both ended here: answers of its own, and streams that are cut, held or spoilt. */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request as send } from 'node:https'
import type { Socket } from 'node:net'
import { afterAll } from 'vitest'
import { makeAuthority } from './certificates.ts'
import { freePort } from './free-port.ts'

export type Asked = { readonly method: string; readonly path: string }

export type Fault =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly body: string
      readonly headers?: Record<string, string>
    }
  /** Cut instead of an answer. */
  | { readonly kind: 'reset' }
  /** Never answered. */
  | { readonly kind: 'hang' }
  /** Passed on, and cut after so many bytes of the answer. */
  | { readonly kind: 'truncate'; readonly bytes: number }

export type KubeFaultProxy = {
  readonly port: number
  /** Who issued its certificate. */
  readonly caFile: string
  /** Asked for each request; undefined: it is passed on. Replaces the rule before. */
  readonly fault: (rule: (asked: Asked) => Fault | undefined) => void
  /** Into every answer that is under way. */
  readonly inject: (text: string) => void
  /** Cuts all that is open now. */
  readonly cut: () => void
  /** What is open now stays open, and not a byte of it is passed any more; what is opened later works. */
  readonly freeze: () => void
  /** All that was asked for, such as `GET /api/v1/pods?limit=500`. */
  readonly asked: () => readonly string[]
}

/** @param target of the API server on 127.0.0.1 */
export async function startKubeFaultProxy(target: {
  readonly port: number
  readonly caFile: string
}): Promise<KubeFaultProxy> {
  const port = await freePort()
  const authority = await makeAuthority('Keyward fault proxy')
  const { cert, key } = await authority.issue(['127.0.0.1'])
  const agent = new Agent({ ca: readFileSync(target.caFile), keepAlive: true })
  const sockets = new Set<Socket>()
  const frozen = new WeakSet<Socket>()
  const underWay = new Set<ServerResponse>()
  const asked: string[] = []
  let rule: (asked: Asked) => Fault | undefined = () => undefined

  const forward = (request: IncomingMessage, response: ServerResponse, most: number) => {
    const { method = 'GET', url: path = '/', headers } = request
    const upstream = send({ agent, host: '127.0.0.1', port: target.port, method, path, headers })
    let passed = 0
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      response.flushHeaders()
      underWay.add(response)
      answer.on('data', (chunk: Buffer) => {
        if (frozen.has(request.socket)) return
        response.write(chunk.subarray(0, most - passed))
        passed += chunk.length
        if (passed >= most) request.socket.destroy()
      })
      answer.on('end', () => {
        if (!frozen.has(request.socket)) response.end()
      })
      answer.on('error', () => request.socket.destroy())
    })
    upstream.on('error', () => request.socket.destroy())
    response.on('close', () => {
      underWay.delete(response)
      upstream.destroy()
    })
    request.pipe(upstream)
  }

  const act = (request: IncomingMessage, response: ServerResponse, fault: Fault | undefined) => {
    switch (fault?.kind) {
      case undefined:
        return forward(request, response, Number.POSITIVE_INFINITY)
      case 'truncate':
        return forward(request, response, fault.bytes)
      case 'answer':
        request.resume()
        return void response.writeHead(fault.status, fault.headers).end(fault.body)
      case 'reset':
        return void request.socket.destroy()
      case 'hang':
        return
    }
  }

  const server = createServer({ cert, key }, (request, response) => {
    const { method = 'GET', url: path = '/' } = request
    asked.push(`${method} ${path}`)
    if (!frozen.has(request.socket)) act(request, response, rule({ method, path }))
  })
  server.keepAliveTimeout = 60_000
  server.on('secureConnection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  afterAll(() => {
    cut()
    server.close()
    agent.destroy()
  })

  return {
    port,
    caFile: authority.caFile,
    fault: (next) => {
      rule = next
    },
    inject: (text) => {
      for (const response of underWay) response.write(text)
    },
    cut,
    freeze: () => {
      for (const socket of sockets) frozen.add(socket)
    },
    asked: () => asked,
  }
}
