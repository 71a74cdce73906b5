/** YAML 1.2 core, less what YAML 1.1 reads as another number: what a file says must not depend on who reads it. */
import { CORE_SCHEMA, defineScalarTag, NOT_RESOLVED } from 'js-yaml'

const DECIMAL = /^-?(0|[1-9][0-9]*)$/

// 010 is 8 to the API server's reader and 10 to others, 1_000 a number or text, 0x1f and 0o17 likewise
const READ_DIFFERENTLY = /^[-+]?(0[0-9_]+|[1-9][0-9]*_[0-9_]*|0[xXoObB][0-9A-Fa-f_]+)$/

const integer = defineScalarTag('tag:yaml.org,2002:int', {
  implicit: true,
  implicitFirstChars: ['-', '+', ...'0123456789'],
  resolve: (source) => {
    if (DECIMAL.test(source)) return Number(source)
    // not a number, and no text either: whichever of them the schema wants, it is refused
    return READ_DIFFERENTLY.test(source) ? Number.NaN : NOT_RESOLVED
  },
  identify: Number.isInteger,
})

export const SCHEMA = CORE_SCHEMA.withTags(integer)
