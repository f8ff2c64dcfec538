import { createHash } from "node:crypto";
import { encodeKey } from "../../src/entry/frame.ts";

/*
 * The first form of this backend, a file an entry, below the base path:
 *
 *   v1/                        its folder
 *   v1/tmp/<writer>-<n>.tmp    files that were being written
 *   v1/<2 hex>/<62 hex>.entry  one frame each; the digits are the key's digest
 *
 * The digest is SHA-256 of one byte, 1 for a key in UTF-16LE and 0 for UTF-8,
 * and the key as the frame encodes it. A file with any other name is not ours
 * and is never touched.
 */

/** The folder of the first form. */
export const FIRST_FORM = "v1";

const SHARD_PATTERN = /^[0-9a-f]{2}$/;
const ENTRY_PATTERN = /^[0-9a-f]{62}\.entry$/;
const TEMPORARY_PATTERN = /^[0-9a-f]{16}-\d+\.tmp$/;

const UTF8 = new Uint8Array([0]);
const UTF16 = new Uint8Array([1]);

/** Where the first form keeps the entry of a key, from its folder on. */
export function entryPath(key: string): string {
  const { bytes, utf16 } = encodeKey(key);
  const hex = createHash("sha256").update(utf16 ? UTF16 : UTF8).update(bytes).digest("hex");
  return `${hex.slice(0, 2)}/${hex.slice(2)}.entry`;
}

/** Whether a name in the first form's folder is that of a folder with entries. */
export function isShardName(name: string): boolean {
  return SHARD_PATTERN.test(name);
}

/** Whether a name in a shard is that of an entry. */
export function isEntryName(name: string): boolean {
  return ENTRY_PATTERN.test(name);
}

/** Whether a name in the temporary folder is of the first form's making. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY_PATTERN.test(name);
}
