/*
 * What a reference record in the log has as its body: 24 bytes, little-endian.
 *
 *   offset  type  field
 *        0        16 random bytes; the file is named by their lower-case hex
 *                 digits and `.value`, in the folder `files` beside the segments
 *       16  f64   bytes of the file: one frame
 *
 * No two files ever have one name, so a file is written once and never
 * replaced, and half a file is never referred to.
 */

/** A value in a file of its own. */
export interface LargeFile {
  /** Its name. */
  readonly name: string;
  /** Its length. */
  readonly bytes: number;
}

const ID_BYTES = 16;
const REFERENCE_BYTES = 24;
const NAME_PATTERN = /^[0-9a-f]{32}\.value$/;

/** A name for a new file, and the body of the reference to it. */
export function newFile(bytes: number): { readonly file: LargeFile; readonly body: Uint8Array } {
  const body = new Uint8Array(REFERENCE_BYTES);
  crypto.getRandomValues(body.subarray(0, ID_BYTES));
  new DataView(body.buffer).setFloat64(ID_BYTES, bytes, true);
  return { file: { name: nameIn(body), bytes }, body };
}

/** The body of the reference to a file that turned out to have so many bytes. */
export function resizedBody(body: Uint8Array, bytes: number): Uint8Array {
  const resized = body.slice();
  new DataView(resized.buffer).setFloat64(ID_BYTES, bytes, true);
  return resized;
}

/** The file that a reference names, `undefined` when it is no reference. */
export function fileOf(body: Uint8Array): LargeFile | undefined {
  if (body.length !== REFERENCE_BYTES) return undefined;
  const bytes = new DataView(body.buffer, body.byteOffset, body.length).getFloat64(ID_BYTES, true);
  return Number.isSafeInteger(bytes) && bytes >= 0 ? { name: nameIn(body), bytes } : undefined;
}

/** Whether a name is that of a file of ours. */
export function isFileName(name: string): boolean {
  return NAME_PATTERN.test(name);
}

/** The name of the file that a reference names. */
export function nameIn(body: Uint8Array): string {
  let name = "";
  for (const byte of body.subarray(0, ID_BYTES)) name += byte.toString(16).padStart(2, "0");
  return `${name}.value`;
}
