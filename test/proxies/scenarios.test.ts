/** Cases of the corpus about single proxies: what their shipped configurations must not do, and what they can take. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Code, DENIALS, problemOf } from '../../src/core/denial.ts'
import { NGINX_SCENARIOS } from '../corpus/behind-proxies.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Every nginx configuration that users are given, in files and in pages, without its comments. */
function nginxTexts(): readonly (readonly [string, string])[] {
  const files = ['examples/nginx', 'examples/ingress-nginx'].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((file) => join(folder, file)),
  )
  const pages = readdirSync(join(ROOT, 'docs/integrations'))
    .filter((page) => /nginx/.test(page))
    .map((page) => join('docs/integrations', page))
  return [...files, ...pages].map(
    (path) => [path, readFileSync(join(ROOT, path), 'utf8').replace(/^\s*#.*$/gm, '')] as const,
  )
}

const TEXTS = nginxTexts()

const [AUTH_CACHE, ERROR_PAGE] = NGINX_SCENARIOS

describe(AUTH_CACHE, () => {
  test('there is a shipped configuration to look at', () => {
    expect(TEXTS.map(([path]) => path)).toContain('examples/nginx/keyward-server.conf')
  })

  test.each(TEXTS)('%s keeps no answer of Keyward', (_path, text) => {
    expect(text).not.toMatch(/^\s*(?:proxy_cache(?:_path|_key|_valid)?|proxy_store)\s+(?!off)/m)
    expect(text).not.toMatch(/auth-cache-(?:key|duration)/)
  })

  test('the location that asks switches caching off, in case the server around it has it', () => {
    const [, server = ''] = TEXTS.find(([path]) => path.endsWith('keyward-server.conf')) ?? []
    const [, check = ''] = /location = \/\.keyward\/check \{([^}]*)\}/.exec(server) ?? []
    expect(check).toMatch(/^\s*proxy_cache off;/m)
    expect(check).toMatch(/^\s*proxy_store off;/m)
  })
})

describe(ERROR_PAGE, () => {
  test.each(TEXTS)('%s turns no refusal into a yes', (_path, text) => {
    // with `=` nginx takes the status of the page, or the one that is named
    expect(text).not.toMatch(/error_page[^;]*=(?!\s*@keyward_)/)
    expect(text).not.toMatch(/error_page[^;]*=\s*\d/)
    expect(text).not.toMatch(/satisfy\s+any/)
  })
})

describe('MISC-traefik-maxresp', () => {
  test.each(Object.keys(DENIALS) as readonly Code[])('the body of %s is below 1 KiB', (code) => {
    const longest = { kind: 'deny', code, why: 'w'.repeat(4096), permission: `a:${'b'.repeat(128)}` } as const
    expect(Buffer.byteLength(problemOf(longest, 'r'.repeat(128)))).toBeLessThan(1024)
  })
})
