import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { systemClock } from "../src/clock.ts";
import { EmbeddingCache } from "../src/embedding_cache.ts";
import { EmbeddingKeys } from "../src/embedding_keys.ts";
import { targetOf } from "../src/embedding_model.ts";
import { CacheManager } from "../src/manager/cache_manager.ts";
import { MapBackend } from "./fakes/map_backend.ts";
import { recordCalls } from "./fakes/recorded_calls.ts";
import { ToyModel } from "./fakes/toy_model.ts";

const target = targetOf("m", undefined, "embeddings", undefined, "");
const LONG = "a long text ".repeat(100);

const open = (): Promise<CacheManager> =>
  CacheManager.open({ backends: [new MapBackend(systemClock)] });

describe("EmbeddingKeys", () => {
  it("keyOf() has the text up to the limit, and its SHA-256 beyond", async () => {
    const keys = new EmbeddingKeys(5);
    assert.equal(keys.keyOf(target, "12345"), 'embeddings:"m":12345');
    const digest = createHash("sha256").update("123456").digest("hex");
    assert.equal(await keys.keyOf(target, "123456"), `embeddings:"m"~sha256:${digest}`);
  });

  it("keyOf() answers at once for a long text that it has met", async () => {
    const keys = new EmbeddingKeys(5);
    const key = await keys.keyOf(target, LONG);
    assert.equal(keys.keyOf(target, `${LONG} `.slice(0, -1)), key);
  });

  it("keyOf() tells texts apart that have the same UTF-8 only because they have none", async () => {
    const keys = new EmbeddingKeys(0);
    const texts = ["\ud800", "\ud801", "\ufffd", "\udc00", "\ud800\udc00", ""];
    const made = await Promise.all(texts.map((text) => keys.keyOf(target, text)));
    assert.equal(new Set(made).size, texts.length);
  });

  it("keyOf() never takes a short text for the digest of a long one", async () => {
    const keys = new EmbeddingKeys(200);
    const digestKey = await keys.keyOf(target, "x".repeat(201));
    const text = digestKey.slice(target.prefix.length);
    assert.notEqual(keys.keyOf(target, text), digestKey);
    for (const model of ["m", 'm"~sha256', "m~sha256"]) {
      const other = targetOf(model, undefined, "embeddings", undefined, "");
      assert.notEqual(other.prefix, target.digestPrefix);
    }
  });

  it("keyOf() goes on in the order of its calls, whatever is known when", async () => {
    const keys = new EmbeddingKeys(5);
    const order: number[] = [];
    await Promise.all([0, 1, 2].map(async (call) => {
      await keys.keyOf(target, LONG);
      order.push(call);
    }));
    assert.deepEqual(order, [0, 1, 2]);
  });
});

describe("EmbeddingCache with long texts", () => {
  it("finds them by all its methods, and gives the model the texts themselves", async () => {
    await using tiers = await open();
    const embeddings = new EmbeddingCache(tiers, { maxBatch: 2 });
    const model = new ToyModel();
    const texts = [LONG, "short", `${LONG}!`, LONG, `${LONG}?`];
    const vectors = await embeddings.getOrEmbed(texts, "toy", model.embed);
    vectors.forEach((vector, at) => assert.deepEqual(vector, model.vectorOf(texts[at]!)));
    assert.deepEqual(model.calls.flat(), [...new Set(texts)]);
    assert.deepEqual(await embeddings.getEmbeddings(texts, "toy"), vectors);
    assert.deepEqual(await embeddings.getEmbedding(LONG, "toy"), vectors[0]);
    assert.equal(await embeddings.deleteEmbedding(LONG, "toy"), true);
    assert.equal(await embeddings.getEmbedding(LONG, "toy"), undefined);
  });

  it("keeps them out of the keys, unless told to keep them", async () => {
    await using tiers = await open();
    const { recorded, calls } = recordCalls(tiers);
    await new EmbeddingCache(recorded).setEmbedding(LONG, "m", [1]);
    await new EmbeddingCache(recorded, { digestTextsOver: Infinity }).setEmbedding(LONG, "m", [1]);
    const [digested, whole] = calls.map(({ parameters }) => parameters[0] as string);
    assert.ok(digested!.length < 100);
    assert.ok(whole!.endsWith(LONG));
  });

  it("takes the vector as it is when it is handed over, and the texts too", async () => {
    await using tiers = await open();
    const embeddings = new EmbeddingCache(tiers);
    const vector = new Float32Array([1, 2]);
    const setting = embeddings.setEmbedding(LONG, "m", vector);
    vector.fill(9);
    await setting;
    assert.deepEqual(await embeddings.getEmbedding(LONG, "m"), new Float32Array([1, 2]));
    const texts = [`${LONG}1`, `${LONG}2`];
    const asked: string[] = [];
    const embedding = embeddings.getOrEmbed(texts, "m", (missing) => {
      asked.push(...missing);
      return missing.map(() => [1, 2]);
    });
    texts.fill("changed");
    await embedding;
    assert.deepEqual(asked, [`${LONG}1`, `${LONG}2`]);
  });

  it("refuses a limit that is none", async () => {
    await using tiers = await open();
    for (const digestTextsOver of [-1, 1.5, NaN, "1" as unknown as number]) {
      assert.throws(
        () => new EmbeddingCache(tiers, { digestTextsOver }),
        /'digestTextsOver' must be/,
      );
    }
  });
});
