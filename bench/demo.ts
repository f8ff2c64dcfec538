/*
 * Real sentence vectors cached and found again: deno task demo [options]
 *
 *   --bun    the second process runs on Bun
 *   --node   the second process runs on Node
 *
 * Both may be given. The model is an npm package that holds the vectors which a
 * sentence model made of 778 documents. Everything is kept in a temporary
 * folder and checked on the way; the exit code is 1 when something is not as it
 * should be.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { EmbeddingCache, QueryResultCache } from "../mod.ts";
import { damage, measureFolder } from "./demo/damage.ts";
import { BATCH, batchesOf, openDemoCache } from "./demo/demo_cache.ts";
import { isSameVector, loadCorpus } from "./demo/documents.ts";
import { type Latency, measureLatency, showTime } from "./demo/latency.ts";
import { findNearest, type Neighbour } from "./demo/nearest.ts";
import { medianOf } from "./demo/percentiles.ts";
import { Progress } from "./demo/progress.ts";
import { type DemoRuntime, otherRuntime, runSecondProcess, thisRuntime } from "./demo/spawned.ts";
import { StoredModel } from "./demo/stored_model.ts";
import { printTable } from "./demo/table.ts";

/** Reads before the memory hits are timed, so that the runtime has compiled what it runs. */
const WARMING_ROUNDS = 10;

const { values: flags } = parseArgs({
  options: { bun: { type: "boolean" }, node: { type: "boolean" } },
});

const corpus = loadCorpus();
const { documents } = corpus;
const texts = documents.map(({ text }) => text);
const model = new StoredModel(corpus);
const tiers: [name: string, latency: Latency][] = [];
const flaws: string[] = [];
let passes = 0;

const folder = mkdtempSync(join(tmpdir(), "strata-demo-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

console.log(
  `Strata on ${thisRuntime().title}: ${documents.length} documents of ${
    (medianOf(texts.map((text) => text.length)) / 1000).toFixed(1)
  } KB, vectors by ${corpus.model}\n`,
);
await fillAndReadMemory();
for (const runtime of await secondRuntimes()) await readInSecondProcess(runtime);
await repairDamage();
await searchTwice();
showResults();
for (const flaw of flaws) console.log(`  WRONG: ${flaw}`);
process.exitCode = flaws.length === 0 ? 0 : 1;

/** The first pass asks the model for everything, the second for nothing. */
async function fillAndReadMemory(): Promise<void> {
  await using cache = await openDemoCache(folder);
  const embeddings = new EmbeddingCache(cache);
  await askForAll("first pass", embeddings, documents.length);
  await askForAll("second pass, memory", embeddings, 0);
  const read = (text: string): Promise<unknown> => embeddings.getEmbedding(text, corpus.model);
  for (let round = 0; round < WARMING_ROUNDS; round++) await measureLatency(texts, read);
  tiers.push(["memory", await measureLatency(texts, read)]);
}

async function secondRuntimes(): Promise<DemoRuntime[]> {
  const named = (["bun", "node"] as const).filter((name) => flags[name]);
  return named.length === 0 ? [thisRuntime()] : await Promise.all(named.map(otherRuntime));
}

/** Another process finds everything on disk, whatever runtime it runs on. */
async function readInSecondProcess(runtime: DemoRuntime): Promise<void> {
  const progress = new Progress(`new process, ${runtime.title}`, documents.length);
  progress.show(0);
  const { hits, identical, modelCalls, latency } = await runSecondProcess(runtime, folder);
  passes++;
  progress.end(`${hits} from disk, model not asked`);
  check(hits === documents.length, `the second process found ${hits} vectors on disk`);
  check(identical === documents.length, `in the second process ${identical} vectors are the same`);
  check(modelCalls === 0, `the second process asked the model ${modelCalls} times`);
  tiers.push([`disk, ${runtime.title}`, latency]);
}

/** One flipped bit on disk costs one text, once. */
async function repairDamage(): Promise<void> {
  damage(folder, documents[0]!);
  {
    await using cache = await openDemoCache(folder);
    let damaged = 0;
    cache.on("corrupt", () => damaged++);
    await askForAll("a bit flipped on disk", new EmbeddingCache(cache), 1);
    check(damaged > 0, "nothing told of the damage");
  }
  await using cache = await openDemoCache(folder);
  await askForAll("repaired, opened again", new EmbeddingCache(cache), 0);
}

/** Searches by brute force once; the same search again is found in the cache. */
async function searchTwice(): Promise<void> {
  await using cache = await openDemoCache(folder);
  const embeddings = new EmbeddingCache(cache);
  const results = new QueryResultCache(cache);
  const { title, text } = documents[0]!;
  const search = async (): Promise<Neighbour[]> => {
    const query = await embeddings.getEmbedding(text, corpus.model);
    const vectors = await embeddings.getEmbeddings(texts, corpus.model);
    const candidates = documents
      .map((document, row) => ({ title: document.title, vector: vectors[row]! }))
      .filter((candidate) => candidate.title !== title);
    return findNearest(query!, candidates, 5);
  };
  const ask = async (filters: object): Promise<readonly Neighbour[]> =>
    await results.getOrSearch(title, filters, "cosine", search);
  const first = await timed(() => ask({ notTitle: title, limit: 5 }));
  const again = await timed(() => ask({ limit: 5, notTitle: title }));

  console.log(`\n  Nearest to "${title}":`);
  for (const { score, title } of first.value) console.log(`    ${score.toFixed(3)}  ${title}`);
  console.log(
    `  Searched in ${showTime(first.microseconds)}; asked again, its filters in another order: ` +
      `found in ${showTime(again.microseconds)}.`,
  );
  const { hits, searches } = results.getStats();
  check(searches === 1 && hits === 1, `the same search ran ${searches} times`);
}

/** Asks for the vectors of all texts, in batches, and checks what comes and what it costs. */
async function askForAll(
  name: string,
  embeddings: EmbeddingCache,
  expectedTexts: number,
): Promise<void> {
  const progress = new Progress(name, documents.length);
  const before = { calls: model.calls, texts: model.texts };
  const vectors: Float32Array[] = [];
  for (const batch of batchesOf(texts)) {
    vectors.push(...await embeddings.getOrEmbed(batch, corpus.model, model.embed));
    progress.show(vectors.length);
  }
  passes++;
  const calls = model.calls - before.calls;
  const embedded = model.texts - before.texts;
  progress.end(
    calls === 0 ? "model not asked" : `model asked ${calls} ×, for ${embedded} of the texts`,
  );
  check(embedded === expectedTexts, `${name}: the model was given ${embedded} texts`);
  const wrong = documents.filter(({ vector }, row) => !isSameVector(vector, vectors[row]!)).length;
  check(wrong === 0, `${name}: ${wrong} vectors are not the model's`);
}

function showResults(): void {
  console.log("");
  printTable(
    ["found in", "reads", "median", "p99"],
    tiers.map(([name, { reads, median, p99 }]) => [
      name,
      String(reads),
      showTime(median),
      showTime(p99),
    ]),
  );
  const callsWithout = passes * Math.ceil(texts.length / BATCH);
  const rawBytes = documents.reduce((sum, { vector }) => sum + vector.byteLength, 0);
  const jsonBytes = documents.reduce(
    (sum, { vector }) => sum + JSON.stringify(Array.from(vector)).length,
    0,
  );
  const textBytes = texts.reduce((sum, text) => sum + new TextEncoder().encode(text).length, 0);
  const disk = measureFolder(folder);
  console.log(`
  Model calls: ${model.calls} instead of ${callsWithout}, ${callsWithout - model.calls} saved.
  Vectors: ${megabytes(rawBytes)} raw, as they are stored; as JSON they would be ${
    megabytes(jsonBytes)
  }.
  Disk: ${
    megabytes(disk.bytes)
  } in ${disk.files} files. Long texts are found by their SHA-256: as they
  are, they would take ${megabytes(textBytes)} more.`);
}

async function timed<T>(run: () => Promise<T>): Promise<{ value: T; microseconds: number }> {
  const start = process.hrtime.bigint();
  const value = await run();
  return { value, microseconds: Number(process.hrtime.bigint() - start) / 1000 };
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}

function check(isRight: boolean, flaw: string): void {
  if (!isRight) flaws.push(flaw);
}
