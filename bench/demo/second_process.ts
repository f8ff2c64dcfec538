/*
 * The demo's second process: reads every vector from the folder that another
 * process, perhaps on another runtime, has filled, and reports in one line of JSON.
 */

import process from "node:process";
import { EmbeddingCache } from "../../mod.ts";
import { batchesOf, openDemoCache } from "./demo_cache.ts";
import { isSameVector, loadCorpus } from "./documents.ts";
import { type Latency, measureLatency } from "./latency.ts";
import { StoredModel } from "./stored_model.ts";

/** What the second process has found. */
export interface SecondProcessReport {
  readonly hits: number;
  readonly modelCalls: number;
  readonly identical: number;
  readonly latency: Latency;
}

const corpus = loadCorpus();
const texts = corpus.documents.map(({ text }) => text);
const model = new StoredModel(corpus);
await using cache = await openDemoCache(process.argv[2]!);
const embeddings = new EmbeddingCache(cache);

const latency = await measureLatency(
  texts,
  (text) => embeddings.getEmbedding(text, corpus.model),
);
const { hits } = embeddings.getStats();

const found: Float32Array[] = [];
for (const batch of batchesOf(texts)) {
  found.push(...await embeddings.getOrEmbed(batch, corpus.model, model.embed));
}
const identical = corpus.documents
  .filter(({ vector }, row) => isSameVector(vector, found[row]!))
  .length;

const report: SecondProcessReport = { hits, modelCalls: model.calls, identical, latency };
console.log(JSON.stringify(report));
