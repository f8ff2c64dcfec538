/*
 * Codecs over real documents and vectors, each beside the bare call of the
 * library under it, and the cost of finding out that a value does not shrink.
 *
 *   deno run -A bench/codec_bench.ts [--quick]
 *   bun run bench/codec_bench.ts [--quick]
 *   node bench/codec_bench.ts [--quick]
 *
 * Speeds are MB/s of raw bytes, the median of rounds in which ours and the bare
 * call take turns; the percentage is the time ours takes more (+) or less (-),
 * the median of the rounds' own ratios.
 */

import { readFileSync } from "node:fs";
import { argv, memoryUsage } from "node:process";
import { fileURLToPath } from "node:url";
import * as zlib from "node:zlib";
import * as lz4 from "lz4-wasm-nodejs";
import { lz4CodecOver } from "../codecs/_lz4_codec.ts";
import { loadWasmZstd } from "../codecs/_zstd_wasm.ts";
import { createBrotliCodec } from "../codecs/brotli.ts";
import { createDeflateCodec } from "../codecs/deflate.ts";
import { createGzipCodec } from "../codecs/gzip.ts";
import { createLz4Codec } from "../codecs/lz4.ts";
import { createZstdCodec } from "../codecs/zstd.ts";
import { looksCompressible } from "../src/entry/compressible.ts";
import type { Codec } from "../src/types.ts";
import { record } from "./suite/record.ts";

const quick = argv.includes("--quick");
const ROUNDS = quick ? 3 : 31;
const CASE_BYTES = quick ? 64 * 1024 : 160 * 1024;
const DIMENSIONS = 384;

type Bare = Readonly<Record<"encode" | "decode", (bytes: Uint8Array) => Uint8Array>>;

interface Contender {
  readonly name: string;
  readonly codec: Codec;
  /** The plain call of the library, as its documentation shows it; `undefined` for our own code. */
  readonly bare: Bare | undefined;
}

const folder = new URL(
  "../node_modules/@sap-ux/fiori-docs-embeddings/data/embeddings/",
  import.meta.url,
);
const cases = loadCases();
const contenders = await loadContenders();

console.log(
  row("codec", "values", "ratio", "encode", "bare", "diff", "decode", "bare", "diff"),
);
for (const contender of contenders) {
  for (const [name, values] of Object.entries(cases)) compare(contender, name, values);
}

console.log(
  `\n${"looksCompressible".padEnd(24)}${"says".padStart(7)}${"ns".padStart(8)}${
    "bare lz4 ns".padStart(13)
  }${"share".padStart(8)}`,
);
for (const [name, values] of Object.entries(cases)) compareSkipping(name, values);

function compare({ name, codec, bare }: Contender, what: string, values: Uint8Array[]): void {
  const lengths = values.map(({ length }) => ({ length }));
  const encoded = values.map((value) => sync(codec.encode(value)));
  const encode = race(
    () => each(values, (value) => sync(codec.encode(value))),
    bare && (() => each(values, bare.encode)),
  );
  const decode = race(
    () => each(encoded, (bytes, at) => sync(codec.decode(bytes, lengths[at]!))),
    bare && (() => each(encoded, bare.decode)),
  );
  const raw = total(values);
  for (const [metric, { ours, bare: theirs }] of Object.entries({ encode, decode })) {
    const of = { group: `${metric}, ${what}`, metric: "speed", unit: "MB/s" } as const;
    const floor = theirs === undefined ? undefined : `${name}, bare`;
    const goal = { of: "ratio", atMost: 1.1 } as const;
    record({ ...of, subject: name, value: raw / 1000 / ours, samples: ROUNDS, floor, goal });
    if (theirs !== undefined) {
      record({ ...of, subject: `${name}, bare`, value: raw / 1000 / theirs, samples: ROUNDS });
    }
  }
  record({
    group: `ratio, ${what}`,
    subject: name,
    metric: "raw by encoded",
    unit: "x",
    better: "more",
    value: raw / total(encoded),
  });
  const allocated = allocatedBy(() =>
    encoded.map((bytes, at) => codec.decode(bytes, lengths[at]!))
  );
  if (allocated !== undefined) {
    record({
      group: `decode memory, ${what}`,
      subject: name,
      metric: "bytes a raw byte",
      unit: "x",
      value: allocated / raw,
    });
  }
  const speed = (milliseconds: number | undefined): string =>
    milliseconds === undefined ? "" : (raw / 1000 / milliseconds).toFixed(0);
  console.log(
    row(
      name,
      what,
      (raw / total(encoded)).toFixed(2),
      speed(encode.ours),
      speed(encode.bare),
      percentMore(encode.ratio),
      speed(decode.ours),
      speed(decode.bare),
      percentMore(decode.ratio),
    ),
  );
}

function compareSkipping(what: string, values: Uint8Array[]): void {
  // One look is too short for the timer.
  const looks = Math.ceil(2000 / values.length);
  const { ours, bare, ratio } = race(
    () => {
      for (let time = 0; time < looks; time++) each(values, looksCompressible);
    },
    () => each(values, lz4.compress),
  );
  const nanoseconds = ours * 1e6 / looks / values.length;
  const share = ratio! / looks * 100;
  const positive = values.filter(looksCompressible).length / values.length;
  record({
    group: `incompressible check, ${what}`,
    subject: "looksCompressible",
    metric: "share of bare lz4",
    unit: "%",
    value: share,
    samples: ROUNDS,
    // Where the codec is skipped; where it is not, the check comes on top of it.
    ...(positive < 0.5 ? { goal: { of: "value", atMost: 5 } } : {}),
  });
  console.log(
    `${what.padEnd(24)}${`${(positive * 100).toFixed(0)} %`.padStart(7)}${
      nanoseconds.toFixed(0).padStart(8)
    }${(bare! * 1e6 / values.length).toFixed(0).padStart(13)}${
      `${share.toFixed(1)} %`.padStart(8)
    }`,
  );
}

/** Bytes that a call takes from the heap and beside it, its result included; `undefined` where garbage cannot be collected before, or was meanwhile. */
function allocatedBy(work: () => unknown): number | undefined {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) return undefined;
  const used = (): number => {
    const { heapUsed, external } = memoryUsage();
    return heapUsed + external;
  };
  collect();
  const before = used();
  const held = work();
  const bytes = used() - before;
  return held !== undefined && bytes > 0 ? bytes : undefined;
}

/** Medians over rounds in which two functions take turns. */
function race(
  ours: () => void,
  bare: (() => void) | undefined,
): {
  readonly ours: number;
  readonly bare: number | undefined;
  readonly ratio: number | undefined;
} {
  const times: { ours: number; bare: number }[] = [];
  for (let round = -2; round < ROUNDS; round++) {
    const oursFirst = round % 2 === 0;
    let mine = oursFirst ? time(ours) : 0;
    const theirs = bare === undefined ? NaN : time(bare);
    if (!oursFirst) mine = time(ours);
    // The first rounds are the compiler's.
    if (round >= 0) times.push({ ours: mine, bare: theirs });
  }
  return {
    ours: median(times.map((pair) => pair.ours)),
    bare: bare && median(times.map((pair) => pair.bare)),
    ratio: bare && median(times.map((pair) => pair.ours / pair.bare)),
  };
}

function time(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

/** Calls a function with each value, and keeps the engine from leaving the calls out. */
function each(values: Uint8Array[], work: (value: Uint8Array, at: number) => unknown): void {
  let last: unknown;
  for (let at = 0; at < values.length; at++) last = work(values[at]!, at);
  if (last === undefined) throw new TypeError("Cannot measure: the function returned nothing");
}

function sync(result: Uint8Array | Promise<Uint8Array>): Uint8Array {
  if (result instanceof Promise) throw new TypeError("Cannot measure: the codec is asynchronous");
  return result;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function total(values: readonly Uint8Array[]): number {
  return values.reduce((sum, { length }) => sum + length, 0);
}

function percentMore(ratio: number | undefined): string {
  if (ratio === undefined) return "";
  const percent = Math.round((ratio - 1) * 100);
  return `${percent < 0 ? "" : "+"}${percent} %`;
}

function row(name: string, what: string, ...columns: string[]): string {
  return name.padEnd(16) + what.padEnd(24) + columns.map((text) => text.padStart(8)).join("");
}

function loadCases(): Readonly<Record<string, Uint8Array[]>> {
  const read = (file: string): Uint8Array =>
    new Uint8Array(readFileSync(fileURLToPath(new URL(file, folder))));
  const vectors = read("embeddings.bin");
  const lines = new TextDecoder().decode(read("records.jsonl")).trim().split("\n");
  const documents = lines.map((line) => JSON.parse(line) as { readonly content: string });
  const text = new TextEncoder();
  const contents = text.encode(documents.map(({ content }) => content).join("\n"));
  const json = firstOf(lines.map((line) => text.encode(line)));
  return {
    "JSON documents, 9 KB": json,
    "text, 64 KiB": firstOf(pieces(contents, 64 * 1024)),
    "vectors, 384-d": firstOf(pieces(vectors, DIMENSIONS * 4)),
    "vectors, 1536-d": firstOf(pieces(vectors, DIMENSIONS * 16)),
    "64 vectors in one": firstOf(pieces(vectors, DIMENSIONS * 4 * 64)),
    "64 vectors, bytes shuffled": firstOf(pieces(vectors, DIMENSIONS * 4 * 64).map(shuffleBytes)),
    "gzipped documents": firstOf(lines.map((line) => new Uint8Array(zlib.gzipSync(line)))),
  };
}

/** As many values as make up the bytes of a case. */
function firstOf(values: Uint8Array[]): Uint8Array[] {
  let bytes = 0;
  const end = values.findIndex((value) => (bytes += value.length) > CASE_BYTES);
  return values.slice(0, Math.max(1, end));
}

function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.floor(bytes.length / size);
  return Array.from({ length: count }, (_, at) => bytes.slice(at * size, (at + 1) * size));
}

/** The first bytes of all numbers, then all second ones, and so on: like stands beside like (as in Parquet's BYTE_STREAM_SPLIT). */
function shuffleBytes(floats: Uint8Array): Uint8Array {
  const count = floats.length / 4;
  return floats.map((_, at) => floats[(at % count) * 4 + Math.floor(at / count)]!);
}

async function loadContenders(): Promise<Contender[]> {
  const { BROTLI_PARAM_QUALITY, ZSTD_c_compressionLevel } = zlib.constants;
  const zstd = (level: number): Bare => ({
    encode: (bytes) =>
      zlib.zstdCompressSync(bytes, { params: { [ZSTD_c_compressionLevel]: level } }),
    decode: (bytes) => zlib.zstdDecompressSync(bytes),
  });
  const gzip = (level: number): Bare => ({
    encode: (bytes) => zlib.gzipSync(bytes, { level }),
    decode: (bytes) => zlib.gunzipSync(bytes),
  });
  const deflate: Bare = {
    encode: (bytes) => zlib.deflateSync(bytes, { level: 2 }),
    decode: (bytes) => zlib.inflateSync(bytes),
  };
  const brotli = (quality: number): Bare => ({
    encode: (bytes) =>
      zlib.brotliCompressSync(bytes, { params: { [BROTLI_PARAM_QUALITY]: quality } }),
    decode: (bytes) => zlib.brotliDecompressSync(bytes),
  });
  const level = 1;
  return [
    {
      name: "lz4",
      codec: await createLz4Codec(),
      bare: { encode: lz4.compress, decode: lz4.decompress },
    },
    { name: "lz4 portable", codec: lz4CodecOver(undefined), bare: undefined },
    { name: "zstd 1", codec: await createZstdCodec({ level }), bare: zstd(1) },
    { name: "zstd 3", codec: await createZstdCodec({ level: 3 }), bare: zstd(3) },
    { name: "zstd 9", codec: await createZstdCodec({ level: 9 }), bare: zstd(9) },
    { name: "zstd 3 in WASM", codec: await loadWasmZstd(3), bare: undefined },
    { name: "gzip 1", codec: await createGzipCodec({ level }), bare: gzip(1) },
    { name: "gzip 2", codec: await createGzipCodec({ level: 2 }), bare: gzip(2) },
    { name: "gzip 6", codec: await createGzipCodec({ level: 6 }), bare: gzip(6) },
    { name: "deflate 2", codec: await createDeflateCodec({ level: 2 }), bare: deflate },
    { name: "brotli 1", codec: await createBrotliCodec({ level: 1 }), bare: brotli(1) },
    { name: "brotli 5", codec: await createBrotliCodec({ level: 5 }), bare: brotli(5) },
  ];
}
