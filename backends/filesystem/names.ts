import { createHash } from "node:crypto";
import { encodeKey } from "../../src/entry/frame.ts";

/*
 * Layout, version 1, below the base path:
 *
 *   v1/                      another version has another folder, and is left alone
 *   v1/tmp/<writer>-<n>.tmp  files being written, or being taken away
 *   v1/<2 hex>/<62 hex>.entry  one frame each; the digits are the key's digest
 *
 * The digest is SHA-256 of one byte, 1 for a key in UTF-16LE and 0 for UTF-8,
 * and the key as the frame encodes it. Lower-case digits and dots are all that
 * a name has, so case-insensitive systems and Windows tell entries apart too.
 * A file with any other name is not ours and is never touched.
 */

/** The folder of this layout. */
export const LAYOUT = "v1";
/** The folder in it for files that are being written. */
export const TEMPORARY = "tmp";
/** Bytes of a digest. */
export const DIGEST_BYTES = 32;
/** Folders that entries are spread over, by the first byte of their digest. */
export const SHARDS = 256;

const ENTRY_PATTERN = /^[0-9a-f]{62}\.entry$/;
const TEMPORARY_PATTERN = /^[0-9a-f]{16}-\d+\.tmp$/;

const UTF8 = new Uint8Array([0]);
const UTF16 = new Uint8Array([1]);

/** What a key is called on the disk. */
export function digestOf(key: string): Uint8Array {
  const { bytes, utf16 } = encodeKey(key);
  return createHash("sha256").update(utf16 ? UTF16 : UTF8).update(bytes).digest();
}

/** The path of an entry from the layout's folder on. */
export function entryPath(digest: Uint8Array): string {
  const hex = toHex(digest);
  return `${hex.slice(0, 2)}/${hex.slice(2)}.entry`;
}

/** The digest that {@linkcode entryPath} was made of. */
export function digestOfPath(path: string): Uint8Array {
  const hex = path.replace("/", "");
  return Uint8Array.from(
    { length: DIGEST_BYTES },
    (_, at) => Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16),
  );
}

/** The folder of a shard. */
export function shardName(shard: number): string {
  return shard.toString(16).padStart(2, "0");
}

/** The digest that a file in a shard is named for, `undefined` when the file is not ours. */
export function digestFromName(shard: number, name: string): Uint8Array | undefined {
  return ENTRY_PATTERN.test(name) ? digestOfPath(`${shardName(shard)}/${name}`) : undefined;
}

/** Whether a name in the temporary folder is of our making. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY_PATTERN.test(name);
}

/** Names for the temporary files of one writer. */
export class TemporaryNames {
  readonly #writer = toHex(crypto.getRandomValues(new Uint8Array(8)));
  #count = 0;

  /** A name that nobody else uses. */
  next(): string {
    return `${this.#writer}-${this.#count++}.tmp`;
  }

  /** Whether a name is one of these. */
  isOwn(name: string): boolean {
    return name.startsWith(`${this.#writer}-`);
  }
}

function toHex(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += HEX[byte];
  return hex;
}

const HEX: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => byte.toString(16).padStart(2, "0"),
);
