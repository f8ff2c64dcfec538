/**
 * Glob patterns over keys, the same for every backend.
 *
 * @module
 */

/** One place in a pattern: a run of anything, or a test of one character. */
type Token = "any-run" | ((unit: number) => boolean);

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const BACKSLASH = 0x5c;
const CARET = 0x5e;
const DASH = 0x2d;

/**
 * Makes a test for keys from a glob, as Redis reads globs: `*` is any run of
 * characters, also none and also across separators; `?` is one character;
 * `[abc]`, `[a-z]` and `[^abc]` are one of or none of a set, which the pattern's
 * end closes if no bracket does; a backslash takes the next character as it is.
 * A character is a UTF-16 code unit.
 *
 * Matching takes at most the product of both lengths, whatever the pattern.
 *
 * @param pattern the glob.
 * @returns a test that is true for the keys that match as a whole.
 *
 * @example
 * ```ts
 * import { compileGlob } from "@strata/cache";
 *
 * const isUser = compileGlob("user:*");
 * console.assert(isUser("user:1") && !isUser("post:1"));
 * ```
 */
export function compileGlob(pattern: string): (key: string) => boolean {
  const tokens = parse(pattern);
  const prefix = literalPrefix(pattern);
  return (key) => key.startsWith(prefix) && matches(tokens, key);
}

/**
 * Escapes what a glob would read as a wildcard.
 *
 * @param text to be matched as it is.
 * @returns a pattern that matches just that text.
 */
export function escapeGlob(text: string): string {
  return text.replace(/[*?[\]\\]/g, "\\$&");
}

/** The characters that every key matching the pattern begins with. */
export function literalPrefix(pattern: string): string {
  let prefix = "";
  for (let at = 0; at < pattern.length; at++) {
    const unit = pattern.charCodeAt(at);
    if (unit === STAR || unit === QUESTION || unit === OPEN) break;
    if (unit === BACKSLASH && at + 1 < pattern.length) at++;
    prefix += pattern[at];
  }
  return prefix;
}

function parse(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const unit = pattern.charCodeAt(at);
    if (unit === STAR) {
      if (tokens.at(-1) !== "any-run") tokens.push("any-run");
    } else if (unit === QUESTION) {
      tokens.push(() => true);
    } else if (unit === OPEN) {
      const set = parseSet(pattern, at + 1);
      tokens.push(set.test);
      at = set.end;
    } else {
      const literal = unit === BACKSLASH && at + 1 < pattern.length
        ? pattern.charCodeAt(++at)
        : unit;
      tokens.push((candidate) => candidate === literal);
    }
  }
  return tokens;
}

/** Reads a set whose first member stands at `start`. As in Redis, a range may end in any character, be it a bracket. */
function parseSet(
  pattern: string,
  start: number,
): { test: (unit: number) => boolean; end: number } {
  const negated = pattern.charCodeAt(start) === CARET;
  const ranges: [low: number, high: number][] = [];
  let at = negated ? start + 1 : start;
  for (; at < pattern.length && pattern.charCodeAt(at) !== CLOSE; at++) {
    let low = pattern.charCodeAt(at);
    let high = low;
    if (low === BACKSLASH && at + 1 < pattern.length) {
      low = high = pattern.charCodeAt(++at);
    } else if (pattern.charCodeAt(at + 1) === DASH && at + 2 < pattern.length) {
      at += 2;
      high = pattern.charCodeAt(at);
    }
    ranges.push(low <= high ? [low, high] : [high, low]);
  }
  return {
    test: (unit) => ranges.some(([low, high]) => unit >= low && unit <= high) !== negated,
    end: at,
  };
}

/** The test of an optional pattern: none matches every key. */
export function testOf(pattern: string | undefined): (key: string) => boolean {
  return pattern === undefined ? () => true : compileGlob(pattern);
}

/** Walks both with one point of return, the last run of anything: greedy, and never exponential. */
function matches(tokens: readonly Token[], key: string): boolean {
  let token = 0;
  let at = 0;
  let runToken = -1;
  let runAt = 0;
  while (at < key.length) {
    const current = tokens[token];
    if (current === "any-run") {
      runToken = token++;
      runAt = at;
    } else if (current !== undefined && current(key.charCodeAt(at))) {
      token++;
      at++;
    } else if (runToken >= 0) {
      token = runToken + 1;
      at = ++runAt;
    } else {
      return false;
    }
  }
  while (tokens[token] === "any-run") token++;
  return token === tokens.length;
}
