/*
 * For a test file that runs alone and starts servers in a hook: Bun gives
 * hooks five seconds, whatever their options say, unless it is told otherwise.
 */

const BUN_TEST: string = "bun:test";
const LIMIT_MS = 120_000;

if ("Bun" in globalThis) (await import(BUN_TEST)).setDefaultTimeout(LIMIT_MS);
