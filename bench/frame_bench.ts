/*
 * Frames of a vector of 1,536 floats (6,144 bytes): what encoding and decoding
 * cost beside what the runtime asks for the least of it.
 *
 *   --quick   short, shows only that it works
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { nativeCrc32 } from "../codecs/_native_crc32.ts";
import { crc32, useNativeCrc32 } from "../src/entry/checksum.ts";
import { bytesOf, viewBinary } from "../src/entry/dtype.ts";
import { decodeFrame, encodeFrame } from "../src/entry/frame.ts";

const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });

const ROUNDS = values.quick ? 5 : 300;
const CALLS = values.quick ? 200 : 1000;

if (nativeCrc32 !== undefined) useNativeCrc32(nativeCrc32);

const vector = Float32Array.from({ length: 1536 }, (_, at) => Math.sin(at));
const key = "embedding:all-MiniLM-L6-v2:0123456789abcdef";
const metadata = {
  createdAt: 1_700_000_000_000,
  expiresAt: Infinity,
  staleUntil: Infinity,
  version: 1_700_000_000_000 * 1024,
  tags: [],
};
const bytes = bytesOf(vector);
const payload = { bytes, rawLength: bytes.length, serializer: 0, codec: 0, dtype: 11 };
const frame = encodeFrame(key, metadata, payload);
const frames = Array.from({ length: 64 }, () => frame.slice());
const target = new Uint8Array(frame.length);

let sink = 0;
const cases: readonly [name: string, call: (turn: number) => void][] = [
  ["copy into memory that is there", () => {
    target.set(bytes, 64);
    sink += target[99] as number;
  }],
  ["copy into new memory", () => {
    const copy = new Uint8Array(frame.length);
    copy.set(bytes, 64);
    sink += copy[99] as number;
  }],
  ["CRC-32", () => {
    sink ^= crc32(bytes);
  }],
  ["encodeFrame", () => {
    sink += encodeFrame(key, metadata, payload)[99] as number;
  }],
  ["decodeFrame", (turn) => {
    sink += decodeFrame(frames[turn % 64] as Uint8Array, key).payload.rawLength;
  }],
  ["decodeFrame and view as Float32Array", (turn) => {
    const parsed = decodeFrame(frames[turn % 64] as Uint8Array, key);
    sink += (viewBinary(parsed.payload.dtype, parsed.payload.bytes) as Float32Array)[1] as number;
  }],
];

// The cases take turns in short rounds, and the fastest round counts: on a busy machine it is the one that was let alone.
const best = cases.map(() => Infinity);
for (let round = 0; round < ROUNDS; round++) {
  for (const [at, [, call]] of cases.entries()) {
    const start = performance.now();
    for (let turn = 0; turn < CALLS; turn++) call(turn);
    const microseconds = (performance.now() - start) * 1000 / CALLS;
    best[at] = Math.min(best[at] as number, microseconds);
  }
}

for (const [at, [name]] of cases.entries()) {
  console.log(`${name.padEnd(38)} ${format(best[at])} µs`);
}
const [, copy = NaN, crc = NaN, encode = NaN, , decode = NaN] = best;
console.log(`encode and decode together             ${format(encode + decode)} µs, goal 3`);
console.log(`the same without the copy              ${format(encode + decode - copy)} µs, goal 1`);
console.log(
  `the same without copy and CRC-32       ${format(encode + decode - copy - 2 * crc)} µs`,
);

const parsed = decodeFrame(frame).payload;
const view = viewBinary(parsed.dtype, parsed.bytes) as Float32Array;
console.log(`the vector is a view of the frame: ${view.buffer === frame.buffer}`);
if (view.buffer !== frame.buffer || sink === 0.5) process.exitCode = 1;

function format(microseconds = NaN): string {
  return microseconds.toFixed(2).padStart(6);
}
