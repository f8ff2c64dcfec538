import { CacheError } from "../errors.ts";

/** Bytes that follow a mark from 0xc0 to 0xdf, lengths and contents of strings and the like not counted; -1 for the mark that is in no use. */
const FOLLOWING: readonly number[] = [
  // nil, never used, false, true, bin 8 to 32, ext 8 to 32 with their type
  ...[0, -1, 0, 0, 1, 2, 4, 2, 3, 5],
  // float 32 and 64, uint 8 to 64, int 8 to 64
  ...[4, 8, 1, 2, 4, 8, 1, 2, 4, 8],
  // fixext 1 to 16 with their type
  ...[2, 3, 5, 9, 17],
  // str 8 to 32, array 16 and 32, map 16 and 32
  ...[1, 2, 4, 2, 4, 2, 4],
];

/** Bytes of the length behind a mark from 0xc0 to 0xdf, 0 for marks without. */
const LENGTH_BYTES: readonly number[] = [
  ...[0, 0, 0, 0, 1, 2, 4, 1, 2, 4],
  ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[0, 0, 0, 0, 0],
  ...[1, 2, 4, 2, 4, 2, 4],
];

const FIRST_ARRAY = 0xdc;
const FIRST_MAP = 0xde;

/**
 * Refuses bytes that are not one whole value of MessagePack. Libraries make
 * room for as many elements as an array claims, before they look for them: 100
 * bytes of arrays in each other end a process for want of memory. Here each
 * count is compared with the bytes that are left, of which every element takes
 * one at least.
 *
 * @throws {CacheError} `"corrupt"` when they are not.
 */
export function checkMessagePack(bytes: Uint8Array): void {
  const { length } = bytes;
  let at = 0;
  /** Values that are still to come, those in open arrays and maps included. */
  let due = 1;
  while (due > 0) {
    // Each of them takes a byte at least.
    if (due > length - at) throw damaged("it ends too early");
    due--;
    const mark = bytes[at++] as number;
    if (mark < 0x80 || mark >= 0xe0) continue;
    if (mark < 0x90) {
      due += (mark & 0x0f) * 2;
    } else if (mark < 0xa0) {
      due += mark & 0x0f;
    } else if (mark < 0xc0) {
      at += mark & 0x1f;
    } else {
      const kind = mark - 0xc0;
      const following = FOLLOWING[kind] as number;
      if (following < 0) throw damaged(`mark ${mark} is in no use`);
      const lengthBytes = LENGTH_BYTES[kind] as number;
      const counted = lengthBytes === 0 ? 0 : readLength(bytes, at, lengthBytes);
      at += following;
      if (mark >= FIRST_MAP) due += counted * 2;
      else if (mark >= FIRST_ARRAY) due += counted;
      else at += counted;
    }
  }
  if (at !== length) throw damaged(at > length ? "it ends too early" : "bytes are left over");
}

/** Reads a big-endian number; what lies beyond the end counts as 0, for the bytes run out then anyway. */
function readLength(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at++) value = value * 256 + (bytes[at] ?? 0);
  return value;
}

function damaged(reason: string): CacheError {
  return new CacheError(
    "corrupt",
    `Cannot decode value: MessagePack bytes are damaged: ${reason}`,
    { codec: "msgpack" },
  );
}
