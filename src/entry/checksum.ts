/** CRC-32 (ISO-HDLC, the one of gzip and zip) of bytes, going on from an earlier result. */
export type Crc32 = (bytes: Uint8Array, initial?: number) => number;

/** Slices of the table of Kounavis and Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation" (2008). */
const TABLE = makeTable();

let implementation: Crc32 = crc32Portable;

/** CRC-32 by the fastest means at hand. */
export function crc32(bytes: Uint8Array, initial = 0): number {
  return implementation(bytes, initial);
}

/** Uses a native CRC-32 from now on; it computes the same sums some 50 times faster. */
export function useNativeCrc32(native: Crc32): void {
  implementation = native;
}

/**
 * CRC-32 in plain TypeScript, eight bytes a step, for runtimes that have none,
 * and for few bytes, where the call into native code costs more than the sum.
 *
 * @param end only the bytes before it are summed.
 */
export function crc32Portable(bytes: Uint8Array, initial = 0, end: number = bytes.length): number {
  let crc = ~initial;
  let at = 0;
  const wholeSteps = end - (end % 8);
  for (; at < wholeSteps; at += 8) {
    const low = crc ^
      (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24);
    crc = TABLE[0x700 + (low & 0xff)]! ^ TABLE[0x600 + (low >>> 8 & 0xff)]! ^
      TABLE[0x500 + (low >>> 16 & 0xff)]! ^ TABLE[0x400 + (low >>> 24)]! ^
      TABLE[0x300 + bytes[at + 4]!]! ^ TABLE[0x200 + bytes[at + 5]!]! ^
      TABLE[0x100 + bytes[at + 6]!]! ^ TABLE[bytes[at + 7]!]!;
  }
  for (; at < end; at++) crc = TABLE[(crc ^ bytes[at]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

function makeTable(): Int32Array {
  const table = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
    table[byte] = crc;
  }
  for (let at = 256; at < table.length; at++) {
    const previous = table[at - 256]!;
    table[at] = table[previous & 0xff]! ^ (previous >>> 8);
  }
  return table;
}
