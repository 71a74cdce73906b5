/** The ceiling of the HTTP check: a node:http handler that answers and does nothing else. */
import { createServer } from 'node:http'

createServer((_, response) => {
  response.writeHead(200, ['content-length', '0'])
  response.end()
}).listen(Number(process.env.PORT), '127.0.0.1')
