/** A plain server that is told how many connections it takes. */
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { listen } from '../../src/runtime/listen.ts'

const closed = (socket: Socket) => new Promise((resolve) => socket.on('close', () => resolve('closed')))

test('closes the connection that is one too many, and answers on the others', async () => {
  const server = await listen((_request, response) => response.end('here'), { host: '127.0.0.1', port: 0, most: 2 })
  const open = (): Socket => connect(server.port, '127.0.0.1').on('error', () => {})
  const ask = async (socket: Socket) => {
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    return await new Promise((resolve) => socket.once('data', (data) => resolve(String(data).split('\r\n')[0])))
  }
  const [one, other] = [open(), open()]
  expect([await ask(one), await ask(other)]).toEqual(['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK'])
  expect(await closed(open())).toBe('closed')
  expect(await ask(one)).toBe('HTTP/1.1 200 OK')
  one.destroy()
  other.destroy()
  await server.stop(1000)
})
