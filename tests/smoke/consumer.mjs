/*
 * A program of someone who installed the package: plain JavaScript, outside of
 * the repository. It throws when anything is not as it should be.
 */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { CacheManager, EmbeddingCache, QueryResultCache } from "@strata/cache";

// Every entry of the package loads, given as arguments.
for (const entry of process.argv.slice(2)) {
  const module = await import(entry);
  assert.ok(Object.keys(module).length > 0, `${entry} exports nothing`);
}

const basePath = await mkdtemp(join(tmpdir(), "strata-smoke-"));
try {
  for (const serializationFormat of ["json", "msgpack", "structured"]) {
    for (const compression of ["lz4", "zstd", "gzip", "deflate", "brotli"]) {
      await roundTrip({ serializationFormat, enableCompression: true, compression });
    }
  }
  await embed();
} finally {
  await rm(basePath, { recursive: true, force: true });
}
console.log("the installed package works");

async function roundTrip(options) {
  const disk = { type: "filesystem", basePath, maxSizeMb: 64 };
  const value = { text: "a line that compresses ".repeat(200), list: [1, 2.5, null, true] };
  const bytes = new Float32Array([0.25, -1, Infinity]);

  const first = await CacheManager.open({
    backends: [{ type: "memory", maxSizeMb: 16 }, disk],
    ...options,
  });
  assert.equal(await first.get("missing"), undefined);
  assert.equal(await first.set("value", value), true);
  assert.equal(await first.set("bytes", bytes), true);
  assert.deepEqual(await first.get("value"), value);
  await first.close();

  // A cache without the memory tier reads what the other one left on disk.
  const second = await CacheManager.open({ backends: [disk], ...options });
  assert.deepEqual(await second.get("value"), value);
  assert.deepEqual(await second.get("bytes"), bytes);
  assert.equal(await second.delete("value"), true);
  assert.equal(await second.get("value"), undefined);
  assert.equal(await second.clear(), 1);
  await second.close();
}

async function embed() {
  const cache = await CacheManager.open({ backends: [{ type: "memory", maxEntries: 100 }] });
  const embeddings = new EmbeddingCache(cache);
  const asked = [];
  const model = (texts) => {
    asked.push(...texts);
    return texts.map((text) => new Float32Array([text.length, 1]));
  };
  await embeddings.getOrEmbed(["a", "bb"], "model", model);
  const vectors = await embeddings.getOrEmbed(["bb", "ccc", "a"], "model", model);
  assert.deepEqual(vectors.map(([length]) => length), [2, 3, 1]);
  assert.deepEqual(asked, ["a", "bb", "ccc"]);

  const results = new QueryResultCache(cache);
  await results.setResults("query", { lang: "en", year: 2024 }, "bm25", [{ id: 1 }]);
  assert.deepEqual(await results.getResults("query", { year: 2024, lang: "en" }, "bm25"), [{
    id: 1,
  }]);
  assert.equal(await results.getResults("query", { year: "2024", lang: "en" }, "bm25"), undefined);
  await cache.close();
}
