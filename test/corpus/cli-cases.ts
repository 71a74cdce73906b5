/** Cases of the corpus about the commands; test/real/cli-hostile-server.test.ts runs them. */

export const CLI_CASES = ['MISC-cli-ctl'] as const
