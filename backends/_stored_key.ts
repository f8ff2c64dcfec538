import { show } from "../src/config.ts";
import { escapeGlob, literalPrefix, testOf } from "../src/glob.ts";

/*
 * Names in Redis, for the caches, locks and buses that share a server.
 *
 *   <prefix>::<key>              an entry
 *   <prefix>!lock:{=<name>}      a lock
 *   <prefix>!fence:{=<name>}     the fencing number last given for it
 *   <prefix>!bus                 the channel of invalidations
 *   <prefix>!stream:{<tag>}<id>  the chunks of a streamed entry
 *
 * A prefix has no "::" and no "!" and does not end in ":", so that the first
 * "::" ends it: what "app" stores is never what "app:users" stores. The braces
 * bring a lock and its number into one slot of a cluster, and the chunks of an
 * entry into the slot of the entry.
 *
 * A key is stored as UTF-8, and one with lone surrogates has none: each of
 * them becomes U+F8FE and its four hex digits, and so does U+F8FE itself.
 */

const SEPARATOR = "::";
const ESCAPE = "\uf8fe";
const ESCAPED = /\uf8fe([0-9a-f]{4})/g;
const TO_ESCAPE = /[\uf8fe\ud800-\udfff]/gu;
const MAX_PREFIX_LENGTH = 256;

/** The names of one prefix. */
export class StoredNames {
  readonly #prefix: string;
  readonly #entryPrefix: string;

  /**
   * @param subject begins the message of an error.
   * @throws {TypeError} when the prefix could be confused with another.
   */
  constructor(prefix: string, subject: string) {
    const rule = brokenRule(prefix);
    if (rule !== undefined) {
      throw new TypeError(`${subject}: 'prefix' must ${rule}: current value is ${show(prefix)}`);
    }
    this.#prefix = prefix;
    this.#entryPrefix = prefix + SEPARATOR;
  }

  /** The channel for invalidations. */
  get channel(): string {
    return `${this.#prefix}!bus`;
  }

  /** What all stored keys of entries begin with. */
  get entryPrefix(): string {
    return this.#entryPrefix;
  }

  /** Where an entry is. */
  entry(key: string): string {
    return this.#entryPrefix + escape(key);
  }

  /** What the stored keys of chunks begin with. */
  get streamPrefix(): string {
    return `${this.#prefix}!stream:`;
  }

  /** The key of a stored key, `undefined` for one that is none of ours. */
  key(stored: string): string | undefined {
    if (!stored.startsWith(this.#entryPrefix)) return undefined;
    const escaped = stored.slice(this.#entryPrefix.length);
    if (!escaped.includes(ESCAPE)) return escaped;
    const key = escaped.replace(ESCAPED, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    // What no key is stored as is not ours.
    return escape(key) === escaped ? key : undefined;
  }

  /** Where a lock and its last fencing number are. */
  lock(name: string): { readonly lock: string; readonly fence: string } {
    const tag = `{=${escape(name)}}`;
    return { lock: `${this.#prefix}!lock:${tag}`, fence: `${this.#prefix}!fence:${tag}` };
  }

  /**
   * What a server is to scan for, and the test of what it finds. The server
   * gets no more than the text that matching keys begin with: its globs are of
   * bytes, ours of characters, and some patterns are dear.
   *
   * @param keeps tells which keys are left out although they match.
   */
  scan(pattern: string | undefined, keeps?: (key: string) => boolean): {
    readonly match: string;
    readonly matches: (key: string) => boolean;
  } {
    // Half a character at the end may belong to a whole one in the key.
    const literal = pattern === undefined
      ? ""
      : literalPrefix(pattern).replace(/[\ud800-\udbff]$/, "");
    const matches = testOf(pattern);
    return {
      match: `${escapeGlob(this.#entryPrefix + escape(literal))}*`,
      matches: keeps === undefined ? matches : (key) => matches(key) && !keeps(key),
    };
  }
}

function escape(key: string): string {
  if (key.isWellFormed() && !key.includes(ESCAPE)) return key;
  return key.replace(
    TO_ESCAPE,
    (unit) => ESCAPE + unit.charCodeAt(0).toString(16).padStart(4, "0"),
  );
}

function brokenRule(prefix: string): string | undefined {
  if (prefix.length > MAX_PREFIX_LENGTH) return `have at most ${MAX_PREFIX_LENGTH} characters`;
  if (!prefix.isWellFormed()) return "have no lone surrogates";
  if (prefix.includes(SEPARATOR) || prefix.endsWith(":")) return 'not have "::" or end in ":"';
  if (prefix.includes("!")) return 'not have "!"';
  // What a client that reads JSON into replies would take for a value.
  if (/^[\s"[]/.test(prefix)) return "not begin like JSON";
  if (/[{}]/.test(prefix) && !/^[^{}]*\{[^{}]+\}[^{}]*$/.test(prefix)) {
    return 'have braces only as one hash tag such as "{app}"';
  }
  return undefined;
}
