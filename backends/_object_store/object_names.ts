import { show } from "../../src/config.ts";
import { encodeKey } from "../../src/entry/frame.ts";
import { crc32 } from "../../src/entry/checksum.ts";
import { literalPrefix, testOf } from "../../src/glob.ts";
import type { MaybePromise } from "../../src/maybe_promise.ts";
import { cutKeyText, decodeKeyText, encodeKeyStart, encodeKeyText } from "./key_code.ts";

/*
 * Names of objects, for the caches that share a bucket.
 *
 *   <prefix>/~k/<text>                an entry; text as key_code.ts says
 *   <prefix>/~k/<start>~h<digest>     an entry whose name would be too long:
 *                                     the first characters of its text, and
 *                                     the SHA-256 of its key in hex digits
 *   <prefix>/~k/<shard>/<text>        the same with shards: the CRC-32 of the
 *                                     text, modulo their number, in hex digits
 *   <prefix>/~l/<text>                a lock
 *   <prefix>/~p/<random>              what is written to find out about a store
 *
 * A prefix has no "~", so that what "app" stores is never what "app/users"
 * stores, and neither begins as the other does.
 */

/** What S3, GCS and Azure take. */
const MAX_NAME_LENGTH = 1024;

/** What stores over a file system take of one segment. */
const MAX_SEGMENT_LENGTH = 250;

/** Characters of its text that the name of a hashed key begins with. */
const START_LENGTH = 100;

/** A token that does not fit any more has at most six characters. */
const MAX_LITERAL_LENGTH = START_LENGTH - 6;

const MAX_PREFIX_LENGTH = 256;
const HASHED = /~h[0-9a-f]{64}$/;
const encoder = new TextEncoder();

/** What a listing has to look for. */
export interface NameScan {
  /** What the names begin with. */
  readonly prefixes: readonly string[];
  /** The test of the keys that are found. */
  readonly matches: (key: string) => boolean;
}

/** The key that a name tells: a hashed one is told by the object only. */
export type NamedKey = string | { readonly isHashed: true };

/** The names of one prefix. */
export class ObjectNames {
  readonly #prefix: string;
  readonly #root: string;
  readonly #shards: number;

  /**
   * @param shards in how many parts names are spread, 0 for none.
   * @param subject begins the message of an error.
   * @throws {TypeError} when the prefix is no path, or could be confused with another.
   */
  constructor(prefix: string, shards: number, subject: string) {
    const isPath = prefix.split("/").every((part) => /^[\w:=@.-]*[\w:=@-]$/.test(part));
    if (!isPath || prefix.length > MAX_PREFIX_LENGTH) {
      throw new TypeError(
        `${subject}: 'prefix' must be a path of at most ${MAX_PREFIX_LENGTH} letters, digits and "_-:=@." such as "app/cache", without "/" or "." at an end: current value is ${
          show(prefix)
        }`,
      );
    }
    this.#prefix = prefix;
    this.#root = `${prefix}/~k/`;
    this.#shards = shards;
  }

  /** Where an entry is. */
  entry(key: string): MaybePromise<string> {
    const text = encodeKeyText(key);
    const folder = this.#folder(text);
    return this.#fits(folder, text)
      ? folder + text
      : digest(key).then((hex) => `${folder}${cutKeyText(text, START_LENGTH)}~h${hex}`);
  }

  /** Where a lock is. */
  lock(name: string): MaybePromise<string> {
    const folder = `${this.#prefix}/~l/`;
    const text = encodeKeyText(name);
    return this.#fits(folder, text)
      ? folder + text
      : digest(name).then((hex) => `${folder}${cutKeyText(text, START_LENGTH)}~h${hex}`);
  }

  /** What the names of all entries begin with. */
  get entries(): string {
    return this.#root;
  }

  /** What the names of all probes begin with. */
  get probes(): string {
    return `${this.#prefix}/~p/`;
  }

  /** A name that nobody has. */
  probe(): string {
    return this.probes + crypto.randomUUID();
  }

  /** The key of a name, `undefined` for one that is none of ours. */
  key(name: string): NamedKey | undefined {
    if (!name.startsWith(this.#root)) return undefined;
    const rest = name.slice(this.#root.length);
    const text = this.#shards === 0 ? rest : rest.slice(rest.indexOf("/") + 1);
    if (HASHED.test(text)) return { isHashed: true };
    const key = decodeKeyText(text);
    return key !== undefined && this.#folder(text) + text === name ? key : undefined;
  }

  /** What to list for a pattern. */
  scan(pattern: string | undefined): NameScan {
    const matches = testOf(pattern);
    const literal = pattern === undefined ? "" : encodeKeyStart(literalPrefix(pattern));
    const start = cutKeyText(literal, MAX_LITERAL_LENGTH);
    if (start === "" || this.#shards === 0) return { prefixes: [this.#root + start], matches };
    const shards = Array.from({ length: this.#shards }, (_, at) => this.#shard(at));
    return { prefixes: shards.map((shard) => `${this.#root}${shard}/${start}`), matches };
  }

  #fits(folder: string, text: string): boolean {
    if (folder.length + text.length > MAX_NAME_LENGTH) return false;
    return text.length <= MAX_SEGMENT_LENGTH ||
      text.split("/").every((part) => part.length <= MAX_SEGMENT_LENGTH);
  }

  #folder(text: string): string {
    if (this.#shards === 0) return this.#root;
    return `${this.#root}${this.#shard(crc32(encoder.encode(text)) % this.#shards)}/`;
  }

  #shard(at: number): string {
    return at.toString(16).padStart(2, "0");
  }
}

async function digest(key: string): Promise<string> {
  const { bytes, utf16 } = encodeKey(key);
  // Both encodings may give the same bytes for different keys.
  const marked = new Uint8Array(bytes.length + 1);
  marked.set(bytes);
  marked[bytes.length] = utf16 ? 1 : 0;
  const hash = await crypto.subtle.digest("SHA-256", marked);
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
