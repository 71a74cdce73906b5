/** PURE: whatever has the form of a credential keeps its key ID only. */
const KEY = /kw_(prod|stag|dev)_([0-9A-Za-z]{12})_[0-9A-Za-z]{1,}/g

export const mask = (text: string): string => text.replace(KEY, 'kw_$1_$2_[secret]')
