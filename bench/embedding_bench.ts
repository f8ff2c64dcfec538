/*
 * What it costs to find the embedding of a 1 KB text in memory, beside the
 * least that the runtime itself costs: an async function around Map.get.
 *
 *   deno run -A bench/embedding_bench.ts [--quick]
 *   bun bench/embedding_bench.ts [--quick]
 *   node bench/embedding_bench.ts [--quick]
 *
 * "known" texts are strings that were looked up before. "new" ones are equal
 * strings made just before, as when a text comes in with a request: no runtime
 * knows their hash. All ways take turns, so that a busy machine slows all alike.
 */

import process from "node:process";
import { CacheEntry } from "../src/entry/entry.ts";
import { loadNativeCrc32 } from "../src/builtins.ts";
import { useNativeCrc32 } from "../src/entry/checksum.ts";
import { EmbeddingCache } from "../src/embedding_cache.ts";
import { CacheManager } from "../src/manager/cache_manager.ts";
import { jsonSerializer } from "../src/serializers/json.ts";
import { medianOf } from "./demo/percentiles.ts";
import { printTable } from "./demo/table.ts";
import { record } from "./suite/record.ts";

const MODEL = "all-MiniLM-L6-v2";
const TEXTS = 500;
const DIMENSIONS = 1536;
const ROUNDS = process.argv.includes("--quick") ? 5 : 200;

const sentence = "The quick brown fox jumps over the lazy dog and runs away. ";
const contents = Array.from(
  { length: TEXTS },
  (_, at) => JSON.stringify(`${sentence.repeat(20).slice(0, 1000)} in document ${1e9 + at}`),
);
/** Strings of their own, whose hash is not known. */
const newTexts = (): string[] => contents.map((json) => JSON.parse(json) as string);

const vector = Float32Array.from({ length: DIMENSIONS }, (_, at) => Math.sin(at));
const texts = newTexts();
const keys = texts.map((text) => `embeddings:"${MODEL}":${text}`);
const floor = new Map(keys.map((key) => [key, vector]));
// deno-lint-ignore require-await -- the floor is an async function
const getFromMap = async (key: string): Promise<Float32Array | undefined> => floor.get(key);

await using cache = await CacheManager.open({ backends: [{ type: "memory", maxSizeMb: 64 }] });
const embeddings = new EmbeddingCache(cache);
for (const text of texts) await embeddings.setEmbedding(text, MODEL, vector);

interface Way {
  readonly name: string;
  /** The way that shows the least it can cost. */
  readonly floor: string | undefined;
  readonly inputs: () => string[];
  readonly find: (input: string) => Promise<Float32Array | undefined>;
  readonly nanoseconds: number[];
}

function way(name: string, inputs: Way["inputs"], find: Way["find"], floor?: string): Way {
  return { name, floor, inputs, find, nanoseconds: [] };
}

const known = (): string[] => texts;
const join = (text: string): string => `embeddings:"${MODEL}":${text}`;
const ways = [
  way("Map.get, key at hand", () => keys, getFromMap),
  way("Map.get, key joined, known text", known, (text) => getFromMap(join(text))),
  way("Map.get, key joined, new text", newTexts, (text) => getFromMap(join(text))),
  way(
    "CacheManager.get, key at hand",
    () => keys,
    (key) => cache.get<Float32Array>(key),
    "Map.get, key at hand",
  ),
  way(
    "getEmbedding, known text",
    known,
    (text) => embeddings.getEmbedding(text, MODEL),
    "Map.get, key joined, known text",
  ),
  way(
    "getEmbedding, new text",
    newTexts,
    (text) => embeddings.getEmbedding(text, MODEL),
    "Map.get, key joined, new text",
  ),
];

for (let round = -ROUNDS; round < ROUNDS; round++) {
  for (const { inputs, find, nanoseconds } of ways) {
    const prepared = inputs();
    const start = performance.now();
    for (const input of prepared) {
      if (await find(input) === undefined) throw new Error("Cannot measure a hit: it was a miss");
    }
    const elapsed = performance.now() - start;
    // The first half warms up.
    if (round >= 0) nanoseconds.push(elapsed * 1e6 / TEXTS);
  }
}

for (const { name: subject, floor, nanoseconds } of ways) {
  record({
    group: "lookup, embedding of a 1 KB text in memory",
    subject,
    metric: "time",
    unit: "ns",
    value: medianOf(nanoseconds),
    samples: nanoseconds.length,
    floor,
    ...(subject === "getEmbedding, known text" ? { goal: { of: "value", atMost: 500 } } : {}),
  });
}
console.log(`embedding of a 1 KB text, ${DIMENSIONS} dimensions, found in memory`);
printTable(
  ["way", "median", "best"],
  ways.map(({ name, nanoseconds }) => [
    name,
    `${medianOf(nanoseconds).toFixed(0)} ns`,
    `${Math.min(...nanoseconds).toFixed(0)} ns`,
  ]),
);

const native = await loadNativeCrc32();
if (native !== undefined) useNativeCrc32(native);
const times = { createdAt: 0, expiresAt: Infinity, staleUntil: Infinity, version: 1, tags: [] };
const format = { serializer: jsonSerializer, codec: undefined, compressionMinBytes: 0 };
const frame = await CacheEntry.of(join(texts[0]!), vector, times, format).encode();
const decoding: number[] = [];
for (let round = -ROUNDS; round < ROUNDS; round++) {
  const start = performance.now();
  for (let time = 0; time < TEXTS; time++) {
    const value = CacheEntry.decode(join(texts[0]!), frame).value() as Float32Array;
    if (value.buffer !== frame.buffer) throw new Error("Decoding has copied the vector");
  }
  if (round >= 0) decoding.push((performance.now() - start) * 1000 / TEXTS);
}
console.log(
  `\ndecoding it from a frame, checks included: ${
    medianOf(decoding).toFixed(2)
  } µs, a view of the frame`,
);
