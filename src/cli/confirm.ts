/** Asks before what can't be undone: only the name, typed, is a yes. */
import { Stop } from './refused.ts'
import type { Person } from './terminal.ts'

export async function typedName(person: Person, name: string): Promise<void> {
  const answer = (await person.ask(`Type the name of the key to go on: `)).trim()
  if (answer !== name) throw new Stop('that is not its name: nothing was done')
}
