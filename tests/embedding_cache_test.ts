import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { EmbeddingCache, type EmbeddingModel } from "../src/embedding_cache.ts";
import { isCacheError } from "../src/errors.ts";
import { CacheManager } from "../src/manager/cache_manager.ts";
import { FakeClock } from "./fakes/fake_clock.ts";
import { MapBackend } from "./fakes/map_backend.ts";
import { recordCalls } from "./fakes/recorded_calls.ts";
import { settle } from "./fakes/settle.ts";
import { HeldModel, ToyModel } from "./fakes/toy_model.ts";

const HOUR_MS = 3_600_000;

async function open(): Promise<{ cache: CacheManager; clock: FakeClock }> {
  const clock = new FakeClock();
  const cache = await CacheManager.open({ backends: [new MapBackend(clock)], clock });
  return { cache, clock };
}

function bytes(vector: Float32Array | undefined): string {
  assert.ok(vector instanceof Float32Array);
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength).join();
}

/** A vector whose numbers have no short form, a subnormal and a negative zero among them. */
const ODD_VECTOR = new Float32Array([0.1, -0, 1e-45, 3.4e38, -1 / 3]);

describe("EmbeddingCache keys", () => {
  const models: fc.Arbitrary<string | EmbeddingModel> = fc.oneof(
    fc.constantFrom("a", "a:b", 'a"', "a#4", "a#4:", 'a":"b'),
    fc.record({
      name: fc.constantFrom("a", "a:b"),
      version: fc.constantFrom<unknown>(1, "1", "a:b"),
    }),
    fc.constantFrom({ name: "a", task: "query" }, { name: "a", task: "document" }, {
      name: "a",
      task: { b: 1 },
    }),
  );
  const texts = fc.constantFrom(
    "",
    " ",
    "b",
    "b:c",
    ":b",
    '":b',
    '"a":b',
    "#4:b",
    "\u00e9",
    "e\u0301",
    "\ud800",
    "B",
  );
  const dimensions = fc.constantFrom(undefined, 4, 40);

  it("differ whenever model, dimensions or text differ, and only then", async () => {
    const { cache } = await open();
    const { recorded, calls } = recordCalls(cache);
    const embeddings = new EmbeddingCache(recorded);
    const seen = new Map<string, string>();
    await fc.assert(
      fc.asyncProperty(models, dimensions, texts, async (model, dimension, text) => {
        await embeddings.getEmbedding(text, model, { dimensions: dimension });
        const key = calls.at(-1)!.parameters[0] as string;
        const isName = typeof model === "string";
        const traits = isName ? [model] : [model.name, ...Object.entries(model).slice(1)];
        const identity = JSON.stringify([traits, dimension, text]);
        assert.equal(seen.get(key) ?? identity, identity);
        seen.set(key, identity);
      }),
      { numRuns: 2000 },
    );
    assert.equal(new Set(seen.values()).size, seen.size);
  });

  it("take a model's name alone and as an object for the same, whatever the order of its fields", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    await embeddings.setEmbedding("text", "m", [1]);
    await embeddings.setEmbedding("text", { name: "m", version: 2, task: "query" }, [2]);
    await embeddings.setEmbedding("text", "m", [3, 3], { dimensions: 2 });
    assert.deepEqual(await embeddings.getEmbedding("text", { name: "m" }), new Float32Array([1]));
    assert.deepEqual(
      await embeddings.getEmbedding("text", { task: "query", version: 2, name: "m" }),
      new Float32Array([2]),
    );
    assert.deepEqual(
      await embeddings.getEmbedding("text", { name: "m", dimensions: 2 }),
      new Float32Array([3, 3]),
    );
  });

  it("follow a model object that is changed between calls", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const model = { name: "m", version: 1 };
    await embeddings.setEmbedding("text", model, [1]);
    model.version = 2;
    assert.equal(await embeddings.getEmbedding("text", model), undefined);
  });

  it("stay apart for caches with different prefixes", async () => {
    const { cache } = await open();
    await new EmbeddingCache(cache, { prefix: "one" }).setEmbedding("text", "m", [1]);
    assert.equal(
      await new EmbeddingCache(cache, { prefix: "two" }).getEmbedding("text", "m"),
      undefined,
    );
  });
});

describe("EmbeddingCache", () => {
  it("getEmbedding() returns bit for bit what setEmbedding() was given", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    assert.equal(await embeddings.getEmbedding("text", "m"), undefined);
    assert.equal(await embeddings.setEmbedding("text", "m", ODD_VECTOR), true);
    assert.equal(bytes(await embeddings.getEmbedding("text", "m")), bytes(ODD_VECTOR));
    assert.equal(await embeddings.deleteEmbedding("text", "m"), true);
    assert.equal(await embeddings.deleteEmbedding("text", "m"), false);
    assert.equal(await embeddings.getEmbedding("text", "m"), undefined);
  });

  it("setEmbedding() rounds numbers to float32 and keeps only the part of the buffer that is the vector", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    await embeddings.setEmbedding("numbers", "m", [0.1, 2]);
    assert.deepEqual(await embeddings.getEmbedding("numbers", "m"), new Float32Array([0.1, 2]));
    await embeddings.setEmbedding("part", "m", ODD_VECTOR.subarray(1, 3));
    assert.equal(bytes(await embeddings.getEmbedding("part", "m")), bytes(ODD_VECTOR.slice(1, 3)));
  });

  it("setEmbedding() leaves its caller free to reuse the buffer at once", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const buffer = new Float32Array([1, 2]);
    const set = embeddings.setEmbedding("text", "m", buffer);
    buffer.fill(9);
    await set;
    assert.deepEqual(await embeddings.getEmbedding("text", "m"), new Float32Array([1, 2]));
  });

  it("setEmbedding() copies a vector out of memory that threads share before it is checked", async () => {
    const { cache } = await open();
    const { recorded, calls } = recordCalls(cache);
    const shared = new Float32Array(new SharedArrayBuffer(8));
    shared.set([1, 2]);
    await new EmbeddingCache(recorded).setEmbedding("text", "m", shared);
    const stored = calls[0]!.parameters[1] as Float32Array;
    assert.notEqual(stored.buffer, shared.buffer);
    assert.deepEqual(stored, new Float32Array([1, 2]));
  });

  const bad: [string, unknown, typeof TypeError | typeof RangeError, RegExp][] = [
    ["a string", "1,2", TypeError, /current value is "1,2"/],
    ["undefined", undefined, TypeError, /current value is undefined/],
    ["numbers as strings", [1, "2"], TypeError, /element 1 is "2"/],
    ["a Float64Array", new Float64Array(2), TypeError, /is a Float64Array/],
    ["nothing", [], RangeError, /must not be empty/],
    ["NaN", [1, NaN], RangeError, /element 1 is NaN/],
    ["Infinity", new Float32Array([Infinity]), RangeError, /element 0 is Infinity/],
    ["what float32 cannot hold", [1e39], RangeError, /element 0 is 1e\+39/],
    ["a hole", Array(2), TypeError, /element 0 is undefined/],
  ];
  for (const [name, vector, kind, message] of bad) {
    it(`setEmbedding() refuses ${name} and stores nothing`, async () => {
      const { cache } = await open();
      const { recorded, calls } = recordCalls(cache);
      const embeddings = new EmbeddingCache(recorded);
      await assert.rejects(
        embeddings.setEmbedding("secret text", "m", vector as number[]),
        (error: unknown) =>
          error instanceof kind && message.test(error.message) && !error.message.includes("secret"),
      );
      assert.equal(calls.length, 0);
    });
  }

  it("refuses a vector of other dimensions than asked for", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache, { dimensions: 3 });
    await assert.rejects(embeddings.setEmbedding("text", "m", [1, 2]), RangeError);
    await assert.rejects(
      embeddings.setEmbedding("text", "m", [1, 2, 3], { dimensions: 2 }),
      RangeError,
    );
    await assert.rejects(
      embeddings.getEmbedding("text", { name: "m", dimensions: 2 }, { dimensions: 3 }),
      RangeError,
    );
    assert.equal(await embeddings.setEmbedding("text", "m", [1, 2, 3]), true);
  });

  it("takes a value that is no vector of the right length for a miss", async () => {
    const { cache } = await open();
    const { recorded, calls } = recordCalls(cache);
    const embeddings = new EmbeddingCache(recorded);
    await embeddings.getEmbedding("text", "m", { dimensions: 2 });
    const key = calls[0]!.parameters[0] as string;
    const foreign = [
      "text",
      [1, 2],
      new Uint8Array(8),
      new Float64Array(2),
      new Float32Array(3),
      null,
      5,
    ];
    for (const value of foreign) {
      await cache.set(key, value);
      assert.equal(await embeddings.getEmbedding("text", "m", { dimensions: 2 }), undefined);
      assert.deepEqual(await embeddings.getEmbeddings(["text"], "m", { dimensions: 2 }), [
        undefined,
      ]);
      const model = new ToyModel(2);
      const vectors = await embeddings.getOrEmbed(["new", "text", "text"], "m", model.embed, {
        dimensions: 2,
      });
      assert.deepEqual(vectors, ["new", "text", "text"].map((text) => model.vectorOf(text)));
      assert.deepEqual(model.calls.flat().filter((text) => text === "text"), ["text"]);
      assert.deepEqual(await cache.get(key), model.vectorOf("text"));
      await embeddings.deleteEmbedding("new", "m", { dimensions: 2 });
    }
  });

  it("getEmbeddings() keeps the order of texts and asks the cache once", async () => {
    const { cache } = await open();
    const { recorded, calls } = recordCalls(cache);
    const embeddings = new EmbeddingCache(recorded);
    await embeddings.setEmbedding("b", "m", [2]);
    await embeddings.setEmbedding("a", "m", [1]);
    calls.length = 0;
    assert.deepEqual(
      await embeddings.getEmbeddings(["a", "x", "b", "a"], "m"),
      [new Float32Array([1]), undefined, new Float32Array([2]), new Float32Array([1])],
    );
    assert.deepEqual(calls.map(({ method }) => method), ["getMany"]);
  });

  it("forgets vectors after 24 hours where nothing else is said", async () => {
    const { cache, clock } = await open();
    const embeddings = new EmbeddingCache(cache);
    const short = new EmbeddingCache(cache, { prefix: "short", defaultTtl: "1h" });
    const model = new ToyModel();
    await embeddings.getOrEmbed(["loaded"], "m", model.embed);
    await embeddings.setEmbedding("set", "m", [1]);
    await embeddings.setEmbedding("longer", "m", [1], { ttl: "2d" });
    await short.setEmbedding("set", "m", [1]);
    const found = async (): Promise<boolean[]> =>
      [
        ...(await embeddings.getEmbeddings(["loaded", "set", "longer"], "m")),
        await short.getEmbedding("set", "m"),
      ].map((vector) => vector !== undefined);
    assert.deepEqual(await found(), [true, true, true, true]);
    clock.advance(HOUR_MS);
    assert.deepEqual(await found(), [true, true, true, false]);
    clock.advance(23 * HOUR_MS - 1);
    assert.deepEqual(await found(), [true, true, true, false]);
    clock.advance(1);
    assert.deepEqual(await found(), [false, false, true, false]);
  });

  it("forgets vectors by their tag", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const model = new ToyModel();
    await embeddings.getOrEmbed(["loaded"], "m", model.embed, { tags: ["old"] });
    await embeddings.setEmbedding("set", "m", [1], { tags: ["old"] });
    await embeddings.setEmbedding("kept", "m", [1], { tags: ["new"] });
    await cache.deleteByTag("old");
    assert.deepEqual(
      await embeddings.getEmbeddings(["loaded", "set", "kept"], "m"),
      [undefined, undefined, new Float32Array([1])],
    );
  });

  it("refuses options and arguments of a wrong kind, by name", async () => {
    const { cache } = await open();
    const make = (options: unknown) => () => new EmbeddingCache(cache, options as object);
    assert.throws(make({ perfix: "x" }), /'perfix' is not known.*prefix/);
    assert.throws(make({ prefix: "a:b" }), TypeError);
    assert.throws(make({ prefix: "" }), TypeError);
    assert.throws(make({ defaultTtl: -1 }), RangeError);
    assert.throws(make({ defaultTtl: "soon" }), /'defaultTtl' must be a number of seconds/);
    assert.throws(make({ maxBatch: 0 }), RangeError);
    assert.throws(make({ maxBatch: "8" }), TypeError);
    assert.throws(make({ dimensions: 1.5 }), RangeError);
    const embeddings = new EmbeddingCache(cache);
    const call = (value: unknown): Promise<unknown> =>
      embeddings.getOrEmbed(value as string[], "m", new ToyModel().embed);
    await assert.rejects(call(["a", 5]), /'texts\[1\]' must be a string: current value is 5/);
    await assert.rejects(call("text"), /'texts' must be an array/);
    // deno-lint-ignore no-sparse-arrays
    await assert.rejects(call(["a", , "b"]), /'texts\[1\]' must be a string/);
    await assert.rejects(embeddings.getEmbedding(5 as unknown as string, "m"), TypeError);
    await assert.rejects(embeddings.getEmbedding("text", ""), TypeError);
    await assert.rejects(embeddings.getEmbedding("text", null as unknown as string), TypeError);
    await assert.rejects(
      embeddings.getEmbedding("text", { name: 5 } as unknown as EmbeddingModel),
      TypeError,
    );
    await assert.rejects(
      embeddings.getEmbedding("text", { name: "m", task: () => 1 }),
      /'model\.task' is a function/,
    );
    await assert.rejects(embeddings.getEmbedding("text", "m", { dimensions: 0 }), RangeError);
    await assert.rejects(
      embeddings.getOrEmbed(["a"], "m", 5 as unknown as ToyModel["embed"]),
      TypeError,
    );
  });
});

describe("EmbeddingCache.getOrEmbed()", () => {
  it("asks only for missing texts, each once, and keeps the order of texts", async () => {
    const { cache } = await open();
    const { recorded, calls } = recordCalls(cache);
    const embeddings = new EmbeddingCache(recorded);
    const model = new ToyModel();
    await embeddings.getOrEmbed(["b", "d"], "m", model.embed);
    calls.length = 0;
    const texts = ["a", "b", "", "c", "a", "d", ""];
    const vectors = await embeddings.getOrEmbed(texts, "m", model.embed);
    assert.deepEqual(vectors, texts.map((text) => model.vectorOf(text)));
    assert.deepEqual(model.calls, [["b", "d"], ["a", "", "c"]]);
    assert.deepEqual(calls.map(({ method }) => method), ["getOrSetMany"]);
    assert.deepEqual(embeddings.getStats(), {
      hits: 4,
      misses: 5,
      modelCalls: 2,
      modelCallsSaved: 0,
      textsEmbedded: 5,
    });
    await embeddings.getOrEmbed(texts, "m", model.embed);
    assert.equal(model.calls.length, 2);
    assert.equal(embeddings.getStats().modelCallsSaved, 1);
    assert.equal(embeddings.getStats().hits, 11);
  });

  it("keeps the order of texts whatever is cached, doubled or split into batches", async () => {
    const model = new ToyModel();
    const texts = fc.array(fc.constantFrom("", "a", "b", "c", "d", "e", "f"), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        texts,
        texts,
        fc.constantFrom(1, 2, 3, Infinity),
        async (warm, asked, maxBatch) => {
          const { cache } = await open();
          const embeddings = new EmbeddingCache(cache, { maxBatch });
          await embeddings.getOrEmbed(warm, "m", model.embed);
          model.calls.length = 0;
          const vectors = await embeddings.getOrEmbed(asked, "m", model.embed);
          assert.deepEqual(vectors, asked.map((text) => model.vectorOf(text)));
          const missing = [...new Set(asked)].filter((text) => !warm.includes(text));
          assert.deepEqual(model.calls.flat(), missing);
          assert.equal(model.calls.length, Math.ceil(missing.length / Math.min(maxBatch, 12)));
          await cache.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("asks nobody for no texts", async () => {
    const { cache } = await open();
    const model = new ToyModel();
    assert.deepEqual(await new EmbeddingCache(cache).getOrEmbed([], "m", model.embed), []);
    assert.equal(model.calls.length, 0);
  });

  it("takes arrays of numbers from the model", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const vectors = await embeddings.getOrEmbed(["a"], "m", () => [[0.1, 2]]);
    assert.deepEqual(vectors, [new Float32Array([0.1, 2])]);
  });

  it("does not depend on buffers that the model reuses", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const buffer = new Float32Array([1, 2]);
    const [first] = await embeddings.getOrEmbed(["a"], "m", () => [buffer]);
    buffer.fill(9);
    assert.deepEqual(first, new Float32Array([1, 2]));
    assert.deepEqual(await embeddings.getEmbedding("a", "m"), new Float32Array([1, 2]));
  });

  const wrong: [string, (texts: string[]) => unknown, RegExp][] = [
    ["too few vectors", (texts) => texts.slice(1).map(() => [1, 2]), /it returned 1 for 2/],
    ["too many vectors", (texts) => [...texts, ""].map(() => [1, 2]), /it returned 3 for 2/],
    ["another dimension", (texts) => texts.map(() => [1, 2, 3]), /vector 0 must have 2 dimensions/],
    [
      "dimensions that differ",
      (texts) => texts.map((_, at) => Array(at + 2).fill(1)),
      /vector 1 must have 2 dimensions: current value has 3/,
    ],
    ["a number that is not finite", () => [[1, 2], [1, NaN]], /vector 1 .* element 1 is NaN/],
    ["what is no vector", () => [[1, 2], "vector"], /vector 1 must be a Float32Array/],
    ["a hole", () => Array(2), /vector 0 must be a Float32Array/],
    ["what is no array", () => new Float32Array(2), /must return an array of vectors/],
    ["nothing", () => undefined, /must return an array of vectors: current value is undefined/],
  ];
  for (const [name, answer, message] of wrong) {
    it(`rejects and stores nothing when the model returns ${name}`, async () => {
      const { cache } = await open();
      const embeddings = new EmbeddingCache(cache);
      await assert.rejects(
        embeddings.getOrEmbed(["secret a", "secret b"], "m", answer as ToyModel["embed"], {
          dimensions: 2,
        }),
        (error: unknown) =>
          isCacheError(error, "invalid-result") && message.test(error.message) &&
          !error.message.includes("secret"),
      );
      const texts = ["secret a", "secret b"];
      assert.deepEqual(await embeddings.getEmbeddings(texts, "m", { dimensions: 2 }), [
        undefined,
        undefined,
      ]);
      const model = new ToyModel(2);
      await embeddings.getOrEmbed(texts, "m", model.embed, { dimensions: 2 });
      assert.deepEqual(model.calls, [texts]);
    });
  }

  it("rejects without storing when the vectors of a model have changed their length", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    await embeddings.getOrEmbed(["old"], "m", new ToyModel(3).embed);
    await assert.rejects(
      embeddings.getOrEmbed(["old", "new"], "m", new ToyModel(4).embed),
      (error: unknown) =>
        isCacheError(error, "invalid-result") && /of 3 and of 4/.test(error.message),
    );
    assert.equal(await embeddings.getEmbedding("new", "m"), undefined);
    assert.equal((await embeddings.getEmbedding("old", "m"))?.length, 3);
  });

  it("passes on the model's own error and asks again next time", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const failure = new Error("quota");
    await assert.rejects(embeddings.getOrEmbed(["a"], "m", () => Promise.reject(failure)), failure);
    await assert.rejects(
      embeddings.getOrEmbed(["a"], "m", () => {
        throw failure;
      }),
      failure,
    );
    const model = new ToyModel();
    await embeddings.getOrEmbed(["a"], "m", model.embed);
    assert.deepEqual(model.calls, [["a"]]);
  });

  it("keeps the batches that came before the one that fails", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache, { maxBatch: 2 });
    const model = new ToyModel();
    const failure = new Error("quota");
    const twice = (texts: string[]): Float32Array[] => {
      if (model.calls.length === 2) throw failure;
      return model.embed(texts, { signal: new AbortController().signal }) as Float32Array[];
    };
    const texts = ["a", "b", "c", "d", "e"];
    await assert.rejects(embeddings.getOrEmbed(texts, "m", twice), failure);
    await embeddings.getOrEmbed(texts, "m", model.embed);
    assert.deepEqual(model.calls, [["a", "b"], ["c", "d"], ["e"]]);
  });

  it("asks once for a text that two calls want at the same time", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const model = new HeldModel();
    const one = embeddings.getOrEmbed(["a", "b"], "m", model.embed);
    const first = await model.call(0);
    const other = embeddings.getOrEmbed(["b", "c", "a"], "m", model.embed);
    const second = await model.call(1);
    assert.deepEqual([first.texts, second.texts], [["a", "b"], ["c"]]);
    second.answer();
    first.answer();
    const toy = new ToyModel();
    assert.deepEqual(await one, ["a", "b"].map((text) => toy.vectorOf(text)));
    assert.deepEqual(await other, ["b", "c", "a"].map((text) => toy.vectorOf(text)));
    const { hits, misses } = embeddings.getStats();
    assert.deepEqual([hits, misses], [2, 3]);
  });

  it("lets those who wait try for themselves when the first one's model fails", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const failing = new HeldModel();
    const working = new HeldModel();
    const toy = new ToyModel();
    const one = embeddings.getOrEmbed(["a", "b"], "m", failing.embed);
    const first = await failing.call(0);
    const others = [
      embeddings.getOrEmbed(["b", "c"], "m", working.embed),
      embeddings.getOrEmbed(["b"], "m", working.embed),
    ];
    const own = await working.call(0);
    assert.deepEqual(own.texts, ["c"]);
    const failure = new Error("quota");
    first.fail(failure);
    await assert.rejects(one, failure);
    const retry = await working.call(1);
    assert.deepEqual(retry.texts, ["b"]);
    retry.answer();
    own.answer();
    assert.deepEqual(await others[0], ["b", "c"].map((text) => toy.vectorOf(text)));
    assert.deepEqual(await others[1], [toy.vectorOf("b")]);
    assert.equal(working.calls.length, 2);
    assert.equal(await embeddings.getEmbedding("a", "m"), undefined);
  });

  it("an abort ends only its caller's wait; the model is told when the last has left", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const model = new HeldModel();
    const aborts = [new AbortController(), new AbortController()];
    const waits = aborts.map(({ signal }) =>
      embeddings.getOrEmbed(["a"], "m", model.embed, { signal })
    );
    const call = await model.call(0);
    aborts[0]!.abort(new Error("first left"));
    await assert.rejects(waits[0]!, /first left/);
    assert.equal(call.signal.aborted, false);
    aborts[1]!.abort(new Error("second left"));
    await assert.rejects(waits[1]!, /second left/);
    assert.equal(call.signal.aborted, true);
    call.fail(call.signal.reason);
    assert.equal(model.calls.length, 1);
    await assert.rejects(
      embeddings.getOrEmbed(["a"], "m", model.embed, { signal: AbortSignal.abort() }),
    );
    assert.equal(model.calls.length, 1);
  });

  it("a model that never answers is asked again, once two have given up in time", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const model = new HeldModel();
    for (let round = 0; round < 2; round++) {
      const abort = new AbortController();
      const asked = embeddings.getOrEmbed(["a"], "m", model.embed, { signal: abort.signal });
      await model.call(0);
      await settle();
      const over = assert.rejects(asked, { name: "TimeoutError" });
      abort.abort(new DOMException("time is over", "TimeoutError"));
      await over;
    }
    const third = embeddings.getOrEmbed(["a"], "m", model.embed);
    (await model.call(1)).answer();
    assert.deepEqual(await third, [new ToyModel().vectorOf("a")]);
  });

  it("an abort leaves the result to those who still wait", async () => {
    const { cache } = await open();
    const embeddings = new EmbeddingCache(cache);
    const model = new HeldModel();
    const abort = new AbortController();
    const left = embeddings.getOrEmbed(["a"], "m", model.embed, { signal: abort.signal });
    const call = await model.call(0);
    const stays = embeddings.getOrEmbed(["a"], "m", model.embed);
    abort.abort();
    await assert.rejects(left);
    call.answer();
    assert.deepEqual(await stays, [new ToyModel().vectorOf("a")]);
    assert.equal(model.calls.length, 1);
  });
});
