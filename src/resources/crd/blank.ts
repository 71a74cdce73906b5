/**
 * A field that is left blank is refused. The API server would drop the null before any rule sees it, and a key whose
 * `customers:` were left blank would be limited to none. It keeps a null where the field may be null; `has()` then says
 * that the field is not there, and its name stands among the names of its parent all the same.
 */
import { type Cel, celQuoted, celText } from '../cel.ts'
import { BLANK, BLANK_ENTRY } from '../wording.ts'
import { addValidations, type Structural } from './structural.ts'

/** Lets every field that may be left out be null down to the rules, and adds the rules that refuse it. */
export function refuseBlanks(node: Structural): Structural {
  const { properties = {}, required = [], additionalProperties, items } = node
  const optional = Object.keys(properties).filter((name) => !required.includes(name) && !properties[name]?.nullable)
  for (const name of optional) Object.assign(properties[name] ?? {}, { nullable: true })
  addValidations(node, optional.map(blankField))
  if (additionalProperties !== undefined) {
    additionalProperties.nullable = true
    addValidations(node, [BLANK_IN_MAPPING])
  }
  for (const inner of [...Object.values(properties), additionalProperties, items]) {
    if (inner !== undefined) refuseBlanks(inner)
  }
  return node
}

const blankField = (name: string): Cel => ({
  rule: `dyn(self).all(k, k != ${celText(name)} || has(self.${name}))`,
  message: `null: ${BLANK}`,
  field: `.${name}`,
})

const BLANK_IN_MAPPING: Cel = {
  rule: 'self.all(k, dyn(self[k]) != null)',
  message: `something in it ${BLANK_ENTRY}`,
  says: `${celQuoted('self.filter(k, dyn(self[k]) == null)[0]')} + ' ${BLANK_ENTRY}'`,
}
