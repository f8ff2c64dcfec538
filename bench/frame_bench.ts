/*
 * Frames of a vector of 1,536 floats (6,144 bytes): what encoding and decoding
 * cost beside what the runtime asks for the least of it.
 *
 *   --quick   short, shows only that it works
 */

import process from "node:process";
import { nativeCrc32 } from "../codecs/_native_crc32.ts";
import { crc32, useNativeCrc32 } from "../src/entry/checksum.ts";
import { bytesOf, viewBinary } from "../src/entry/dtype.ts";
import { decodeFrame, encodeFrame } from "../src/entry/frame.ts";
import type { Goal } from "./suite/figure.ts";
import { record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";
import { takeTurns } from "./suite/take_turns.ts";

const CALLS = 500;
const SECONDS = scaled(0.1, 5);

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

const turns = await takeTurns(
  cases.map(([name, call]) => ({
    name,
    operations: CALLS,
    run: () => {
      for (let turn = 0; turn < CALLS; turn++) call(turn);
    },
  })),
  { seconds: SECONDS },
);

const GROUP = "frame, a vector of 6 KB";
for (const [name] of cases) {
  const { us, spread, samples } = turns.get(name)!;
  tell(name, us, { spread, samples });
}
const of = (name: string): number => turns.get(name)!.us;
const both = of("encodeFrame") + of("decodeFrame and view as Float32Array");
tell("encode and decode", both, { goal: { of: "value", atMost: 3 } });
tell("encode and decode, less the copy", both - of("copy into new memory"), {
  goal: { of: "value", atMost: 1 },
});
tell(
  "encode and decode, less the copy and CRC-32",
  both - of("copy into new memory") - 2 * of("CRC-32"),
);

function tell(
  subject: string,
  value: number,
  more: { readonly spread?: number; readonly samples?: number; readonly goal?: Goal } = {},
): void {
  record({ group: GROUP, subject, metric: "time", unit: "us", value, ...more });
  const goal = more.goal === undefined ? "" : `, goal ${more.goal.atMost}`;
  console.log(`${subject.padEnd(44)} ${value.toFixed(2).padStart(6)} µs${goal}`);
}

const parsed = decodeFrame(frame).payload;
const view = viewBinary(parsed.dtype, parsed.bytes) as Float32Array;
console.log(`the vector is a view of the frame: ${view.buffer === frame.buffer}`);
if (view.buffer !== frame.buffer || sink === 0.5) process.exitCode = 1;
