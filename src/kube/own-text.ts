/** PURE: texts that are kept for long, each as one piece of its own. */

/**
 * V8 keeps what was put together of parts as its parts, and what was cut out of a longer text as that whole text with a
 * place in it. A copy has neither; for letters of ASCII only.
 */
export const ownText = <Text extends string>(text: Text): Text => Buffer.from(text, 'latin1').toString('latin1') as Text
