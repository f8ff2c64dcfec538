/*
 * Embeddings end to end, memory over disk: 778 real vectors, and many made up
 * ones, asked for in batches of which none, half or all are cached; and what
 * holding them as float16 or int8 costs in nearness and saves in bytes.
 *
 *   --quick   short, shows only that it works
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { CacheManager, EmbeddingCache, type EmbeddingStorageName } from "../mod.ts";
import { EMBEDDING_STORAGES } from "../src/embedding_storage.ts";
import { seededRandom } from "../tests/fakes/seeded_random.ts";
import { loadCorpus } from "./demo/documents.ts";
import { medianOf, percentileOf } from "./demo/percentiles.ts";
import { printTable } from "./demo/table.ts";
import { measureAgreement } from "./embeddings/agreement.ts";
import { record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";
import { takeTurns } from "./suite/take_turns.ts";

const MADE_UP = scaled(2_000, 100_000);
const BATCH = 100;
const BATCHES = scaled(3, 60);
const DIMENSIONS = 1536;
const STORAGES = Object.keys(EMBEDDING_STORAGES) as EmbeddingStorageName[];

const folder = mkdtempSync(join(tmpdir(), "strata-embeddings-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

/** Vectors of unit length without pattern, of which others are made by turning them around. */
const random = seededRandom(1);
const pool = Array.from({ length: 512 }, () => {
  const vector = Float32Array.from({ length: DIMENSIONS }, () => random() + random() - 1);
  const length = Math.hypot(...vector);
  return vector.map((number) => number / length);
});
const made = (text: string): Float32Array => {
  const at = Number(text.slice(5));
  const base = pool[at % pool.length]!;
  const shift = Math.floor(at / pool.length);
  const vector = new Float32Array(DIMENSIONS);
  vector.set(base.subarray(shift));
  vector.set(base.subarray(0, shift), DIMENSIONS - shift);
  return vector;
};

const corpus = loadCorpus();
const real = new Map(corpus.documents.map(({ text, vector }) => [text, vector]));

for (const storage of STORAGES) {
  await measureBatches("made up", storage, MADE_UP, made, (at) => `text ${at}`);
}
const realTexts = [...real.keys()];
await measureBatches(
  "real",
  "float32",
  real.size,
  (text) => real.get(text)!,
  (at) => realTexts[at]!,
);
await measurePacking();
measureNearness();

/** Fills a cache with a part of the texts, and asks for batches that hit in a known share. */
async function measureBatches(
  kind: string,
  storage: EmbeddingStorageName,
  count: number,
  vectorOf: (text: string) => Float32Array,
  textOf: (at: number) => string,
): Promise<void> {
  await using cache = await CacheManager.open({
    backends: [
      { type: "memory", maxSizeMb: 64 },
      { type: "filesystem", basePath: join(folder, `${kind}-${storage}`), maxSizeMb: 4000 },
    ],
  });
  const embeddings = new EmbeddingCache(cache, { storage });
  const embed = (texts: string[]): Float32Array[] => texts.map(vectorOf);
  const known = Math.floor(count / 2);
  const start = performance.now();
  for (let at = 0; at < known; at += BATCH) {
    const texts = Array.from({ length: Math.min(BATCH, known - at) }, (_, n) => textOf(at + n));
    await embeddings.getOrEmbed(texts, "model", embed);
  }
  const us = (performance.now() - start) * 1000 / known;
  const group = `getOrEmbed, ${count.toLocaleString("en-US")} ${kind} vectors`;
  const rows = [["filling, all missing", us.toFixed(2), "", ""]];
  record({ group: `${group}, filling`, subject: storage, metric: "time", unit: "us", value: us });
  let next = known;
  for (const share of [0, 0.5, 1]) {
    const times: number[] = [];
    for (let batch = 0; batch < BATCHES; batch++) {
      const missing = Math.round(BATCH * (1 - share));
      if (next + missing > count) break;
      const texts = Array.from(
        { length: BATCH },
        (_, at) => textOf(at < missing ? next + at : (batch * 7919 + at * 31) % known),
      );
      next += missing;
      const began = performance.now();
      const vectors = await embeddings.getOrEmbed(texts, "model", embed);
      times.push((performance.now() - began) * 1000 / BATCH);
      if (vectors[3]?.length !== vectorOf(texts[3]!).length) throw new Error("Wrong vector");
    }
    const name = `${share * 100} % hits`;
    record({
      group: `${group}, ${name}`,
      subject: storage,
      metric: "time",
      unit: "us",
      value: medianOf(times),
      samples: times.length,
    });
    rows.push([name, medianOf(times).toFixed(2), percentileOf(times, 0.99).toFixed(2), ""]);
  }
  console.log(`${group}, stored as ${storage}, batches of ${BATCH}`);
  printTable(["", "µs a text", "p99", ""], rows);
  console.log("");
}

/** What it takes to make the stored form and to bring it back. */
async function measurePacking(): Promise<void> {
  const vectors = pool.slice(0, 100);
  const turns = await takeTurns(
    STORAGES.flatMap((name) => {
      const { pack, unpack } = EMBEDDING_STORAGES[name];
      const packed = vectors.map(pack);
      const operations = vectors.length;
      return [
        {
          name: `${name} pack`,
          operations,
          run: () => {
            for (const vector of vectors) pack(vector);
          },
        },
        {
          name: `${name} unpack`,
          operations,
          run: () => {
            for (const value of packed) unpack(value, DIMENSIONS);
          },
        },
      ];
    }),
    { seconds: scaled(0.1, 2) },
  );
  const rows = STORAGES.map((subject) => {
    const cells = (["pack", "unpack"] as const).map((metric) => {
      const { us: value, spread, samples } = turns.get(`${subject} ${metric}`)!;
      const group = `${metric}, a vector of ${DIMENSIONS}`;
      record({ group, subject, metric: "time", unit: "us", value, spread, samples });
      return `${value.toFixed(2)} µs`;
    });
    return [subject, ...cells];
  });
  printTable([`a vector of ${DIMENSIONS}`, "pack", "unpack"], rows);
  console.log("");
}

/** How near what comes back is, on the real vectors. */
function measureNearness(): void {
  const vectors = [...real.values()].slice(0, scaled(100, real.size));
  const rows = STORAGES.map((subject) => {
    const { worstCosineError, top10, bytes } = measureAgreement(
      vectors,
      EMBEDDING_STORAGES[subject],
    );
    const of = { subject, samples: vectors.length };
    record(
      { ...of, group: "size, a real vector", metric: "bytes", unit: "bytes", value: bytes },
      {
        ...of,
        group: "nearness, real vectors",
        metric: "top-10 agreement",
        unit: "%",
        better: "more",
        value: top10 * 100,
      },
      {
        ...of,
        group: "cosine error, real vectors, worst",
        metric: "1 − cosine, in millionths",
        unit: "x",
        value: worstCosineError * 1e6,
      },
    );
    return [
      subject,
      bytes.toFixed(0),
      worstCosineError.toExponential(1),
      `${(top10 * 100).toFixed(2)} %`,
    ];
  });
  printTable([`${vectors.length} real vectors`, "bytes", "worst 1 − cosine", "same top 10"], rows);
}
