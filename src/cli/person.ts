/** Questions to whoever sits at the terminal; what is asked and answered goes beside the results. */
import { createInterface } from 'node:readline/promises'
import { Stop } from './refused.ts'
import type { Person } from './terminal.ts'

export type Streams = { readonly input: NodeJS.ReadableStream; readonly output: NodeJS.WritableStream }

/** Each question opens the input and lets go of it, so that nothing keeps the process when all is said. */
export const personAt = ({ input, output }: Streams): Person => ({
  ask: (question) =>
    new Promise((resolve, reject) => {
      const lines = createInterface({ input, output, terminal: true, historySize: 0 })
      let answered = false
      lines.once('SIGINT', () => lines.close())
      lines.once('close', () => {
        if (answered) return
        output.write('\n')
        reject(new Stop('interrupted: nothing was done'))
      })
      lines.question(question).then(
        (answer) => {
          answered = true
          lines.close()
          resolve(answer)
        },
        () => undefined,
      )
    }),
})
