/** PURE: a word as it can be pasted into a shell, whatever is in it. */

export const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
