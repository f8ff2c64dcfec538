import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { systemClock } from "../src/clock.ts";
import { EmbeddingCache, type EmbeddingStorageName } from "../src/embedding_cache.ts";
import { EMBEDDING_STORAGES } from "../src/embedding_storage.ts";
import { CacheManager } from "../src/manager/cache_manager.ts";
import { MapBackend } from "./fakes/map_backend.ts";
import { recordCalls } from "./fakes/recorded_calls.ts";
import { seededRandom } from "./fakes/seeded_random.ts";
import { ToyModel } from "./fakes/toy_model.ts";

const NAMES = Object.keys(EMBEDDING_STORAGES) as EmbeddingStorageName[];
const LOSSY = NAMES.filter((name) => name !== "float32");

/** The most by which the cosine of a vector of unit length may fall short of 1. */
const COSINE_ERROR = { "float32": 0, "float16-lossy": 1e-6, "int8-lossy": 3e-4 };
/** The most bytes for a number, and beside all numbers. */
const BYTES = { "float32": [4, 0], "float16-lossy": [2, 0], "int8-lossy": [1, 4] } as const;

function cosine(one: Float32Array, other: Float32Array): number {
  const dot = (a: Float32Array, b: Float32Array): number =>
    a.reduce((sum, number, at) => sum + number * b[at]!, 0);
  return dot(one, other) / Math.sqrt(dot(one, one) * dot(other, other));
}

function unitVector(seed: number, length: number): Float32Array {
  const random = seededRandom(seed);
  const vector = Float32Array.from({ length }, () => random() + random() + random() - 1.5);
  const norm = Math.hypot(...vector);
  return vector.map((number) => number / norm);
}

const cache = (): Promise<CacheManager> =>
  CacheManager.open({ backends: [new MapBackend(systemClock)] });

for (const name of NAMES) {
  describe(`embeddings stored as ${name}`, () => {
    const storage = EMBEDDING_STORAGES[name];

    it("come back as near as they should, in as few bytes", () => {
      for (let seed = 0; seed < 200; seed++) {
        const vector = unitVector(seed, 384);
        const packed = storage.pack(vector);
        const [each, more] = BYTES[name];
        assert.ok(packed.byteLength <= 384 * each + more);
        const back = storage.unpack(packed, 384)!;
        assert.equal(back.length, 384);
        assert.ok(cosine(vector, back) >= 1 - COSINE_ERROR[name] - 1e-9, `seed ${seed}`);
      }
    });

    it("never come back with another length or with what is no number", () => {
      fc.assert(fc.property(
        fc.float32Array({ minLength: 1, maxLength: 40, noNaN: true, noDefaultInfinity: true }),
        (vector) => {
          const back = storage.unpack(storage.pack(vector), vector.length);
          assert.equal(back?.length, vector.length);
          assert.ok(back.every(Number.isFinite));
          const peak = Math.max(...vector.map(Math.abs));
          vector.forEach((number, at) => assert.ok(Math.abs(number - back[at]!) <= peak / 253));
        },
      ));
    });

    it("are packed the same again once they have been unpacked", () => {
      const once = storage.unpack(storage.pack(unitVector(7, 100)), 100)!;
      assert.deepEqual(storage.unpack(storage.pack(once), 100), once);
    });

    it("are not read from what is something else", () => {
      const foreign = [undefined, null, "text", [1, 2], {}, new Float64Array(4), new Uint8Array(4)];
      for (const value of foreign) assert.equal(storage.unpack(value, undefined), undefined);
      assert.equal(storage.unpack(storage.pack(unitVector(1, 8)), 9), undefined);
      const endless = new Uint8Array(12);
      new DataView(endless.buffer).setFloat32(0, Infinity, true);
      assert.equal(storage.unpack(endless, undefined), undefined);
    });

    it("leaves the vector that it packs as it is", () => {
      const vector = unitVector(3, 16);
      const copy = vector.slice();
      storage.pack(vector);
      assert.deepEqual(vector, copy);
    });

    it("serves all methods of EmbeddingCache, each text embedded once", async () => {
      await using tiers = await cache();
      const embeddings = new EmbeddingCache(tiers, { storage: name, maxBatch: 2 });
      const model = new ToyModel(32);
      const near = (vector: Float32Array | undefined, text: string): void =>
        assert.ok(cosine(vector!, model.vectorOf(text)) > 0.999, text);
      const texts = ["a", "b", "a", "c", "d"];
      for (let turn = 0; turn < 2; turn++) {
        const vectors = await embeddings.getOrEmbed(texts, "toy", model.embed);
        vectors.forEach((vector, at) => near(vector, texts[at]!));
        assert.equal(vectors[0], vectors[2]);
      }
      assert.equal(model.calls.flat().length, 4);
      near(await embeddings.getEmbedding("a", "toy"), "a");
      await embeddings.setEmbedding("e", "toy", model.vectorOf("e"));
      const many = await embeddings.getEmbeddings(["e", "x", "b"], "toy", {
        dimensions: undefined,
      });
      near(many[0], "e");
      assert.equal(many[1], undefined);
      near(many[2], "b");
    });
  });
}

describe("EmbeddingCache storage", () => {
  it("keeps what one way has stored from the others", async () => {
    await using tiers = await cache();
    const { recorded, calls } = recordCalls(tiers);
    for (const storage of NAMES) {
      await new EmbeddingCache(recorded, { storage }).setEmbedding("text", "m", [1, 2, 3]);
    }
    const keys = calls.map(({ parameters }) => parameters[0]);
    assert.equal(new Set(keys).size, NAMES.length);
  });

  it("keeps as they are those vectors that half precision cannot hold", () => {
    for (const vector of [[1e5, 1], [1e-6, -2e-6], [0, 0]]) {
      const kept = new Float32Array(vector);
      const { pack, unpack } = EMBEDDING_STORAGES["float16-lossy"];
      assert.deepEqual(unpack(pack(kept), 2), kept);
    }
  });

  it("names the ways that there are when it is given none of them", async () => {
    await using tiers = await cache();
    assert.throws(
      () => new EmbeddingCache(tiers, { storage: "int8" as EmbeddingStorageName }),
      (error: TypeError) => LOSSY.every((name) => error.message.includes(name)),
    );
  });
});
