import { corrupt, wrongSize } from "./_codec_errors.ts";

/*
 * The LZ4 block format in plain TypeScript, for places where the WebAssembly
 * package cannot be loaded, and for values so large that they would swell its
 * memory for good. Behind it stands the same prefix: the raw length in 4 bytes,
 * little-endian. Rules and names are those of lz4_Block_format.md of LZ4.
 */

const NAME = "lz4";
const PREFIX_BYTES = 4;
const MIN_MATCH = 4;
/** The last match begins at least this far from the end of the raw bytes ... */
const MATCH_START_LIMIT = 12;
/** ... and ends at least this far from it. */
const LAST_LITERALS = 5;
const MAX_OFFSET = 0xffff;
const HASH_BITS = 13;
/** After 2^this misses in a row the search takes larger steps. */
const SKIP_TRIGGER = 6;

/** Where a hash of four bytes was last seen, plus 1; encoding is synchronous, so that one table serves all. */
const lastSeen = new Int32Array(1 << HASH_BITS);

/** Compresses into the length prefix and one LZ4 block. */
export function encodeLz4(raw: Uint8Array): Uint8Array {
  const { length } = raw;
  const out = new Uint8Array(PREFIX_BYTES + length + Math.floor(length / 255) + 16);
  new DataView(out.buffer).setUint32(0, length, true);
  lastSeen.fill(0);
  const searchEnd = length - MATCH_START_LIMIT;
  const matchLimit = length - LAST_LITERALS;
  let to = PREFIX_BYTES;
  let anchor = 0;
  let at = 0;
  let misses = 1 << SKIP_TRIGGER;
  while (at <= searchEnd) {
    const sequence = readFour(raw, at);
    const hash = Math.imul(sequence, 0x9e3779b1) >>> (32 - HASH_BITS);
    let candidate = lastSeen[hash]! - 1;
    lastSeen[hash] = at + 1;
    if (
      candidate < 0 || at - candidate > MAX_OFFSET || readFour(raw, candidate) !== sequence
    ) {
      at += misses++ >>> SKIP_TRIGGER;
      continue;
    }
    misses = 1 << SKIP_TRIGGER;
    while (at > anchor && candidate > 0 && raw[at - 1] === raw[candidate - 1]) {
      at--;
      candidate--;
    }
    let end = at + MIN_MATCH;
    const distance = at - candidate;
    while (end < matchLimit && raw[end] === raw[end - distance]) end++;
    to = writeLiterals(raw, anchor, at, out, to, end - at - MIN_MATCH);
    out[to++] = distance & 0xff;
    out[to++] = distance >>> 8;
    if (end - at - MIN_MATCH >= 15) to = writeLength(out, to, end - at - MIN_MATCH - 15);
    at = end;
    anchor = end;
  }
  to = writeLiterals(raw, anchor, length, out, to, 0);
  return out.slice(0, to);
}

/** Restores exactly `length` bytes from one LZ4 block behind its prefix, which the caller has compared. */
export function decodeLz4(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  const inputEnd = bytes.length;
  let from = PREFIX_BYTES;
  let to = 0;
  for (;;) {
    if (from >= inputEnd) throw cutShort();
    const token = bytes[from++]!;
    let literals = token >>> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (from >= inputEnd) throw cutShort();
        more = bytes[from++]!;
        literals += more;
      } while (more === 255);
    }
    if (from + literals > inputEnd) throw cutShort();
    if (to + literals > length) throw tooLong(length);
    to = copy(bytes, from, out, to, literals);
    from += literals;
    // Only the last sequence has no match.
    if (from === inputEnd) break;
    if (from + 2 > inputEnd) throw cutShort();
    const distance = bytes[from]! | bytes[from + 1]! << 8;
    from += 2;
    if (distance === 0 || distance > to) throw corrupt(NAME, "a match begins before the value");
    let size = (token & 15) + MIN_MATCH;
    if (size === 15 + MIN_MATCH) {
      let more: number;
      do {
        if (from >= inputEnd) throw cutShort();
        more = bytes[from++]!;
        size += more;
      } while (more === 255);
    }
    if (to + size > length) throw tooLong(length);
    to = repeat(out, to, distance, size);
  }
  if (to !== length) throw wrongSize(NAME, `it yields ${to} bytes, not ${length}`);
  return out;
}

/** Below this many bytes a loop is faster than a call of a built-in. */
const SHORT_COPY_BYTES = 32;

function copy(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  size: number,
): number {
  if (size > SHORT_COPY_BYTES) {
    target.set(source.subarray(from, from + size), to);
  } else {
    for (let index = 0; index < size; index++) target[to + index] = source[from + index]!;
  }
  return to + size;
}

/** Copies a match, which may overlap what it makes: then it repeats the last `distance` bytes. */
function repeat(out: Uint8Array, to: number, distance: number, size: number): number {
  const end = to + size;
  if (size <= SHORT_COPY_BYTES) {
    for (let at = to; at < end; at++) out[at] = out[at - distance]!;
    return end;
  }
  const start = to - distance;
  let ready = Math.min(distance, size);
  out.copyWithin(to, start, start + ready);
  // What stands from `start` on has the period `distance`: each round doubles it.
  for (let at = to + ready; at < end; at += ready) {
    ready = Math.min(at - start - (at - start) % distance, end - at);
    out.copyWithin(at, start, start + ready);
  }
  return end;
}

function readFour(bytes: Uint8Array, at: number): number {
  return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24;
}

function writeLiterals(
  raw: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
  matchCode: number,
): number {
  const size = end - start;
  let to = at;
  out[to++] = Math.min(size, 15) << 4 | Math.min(matchCode, 15);
  if (size >= 15) to = writeLength(out, to, size - 15);
  return copy(raw, start, out, to, size);
}

function writeLength(out: Uint8Array, at: number, rest: number): number {
  let to = at;
  let left = rest;
  for (; left >= 255; left -= 255) out[to++] = 255;
  out[to++] = left;
  return to;
}

function cutShort(): Error {
  return corrupt(NAME, "its block is cut short");
}

function tooLong(length: number): Error {
  return wrongSize(NAME, `it yields more than ${length} bytes`);
}
