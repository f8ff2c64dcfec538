import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Cache } from "../../src/manager/cache.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { MapBackend } from "../fakes/map_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";

async function open(): Promise<CacheManager> {
  const clock = new FakeClock();
  const backends = [new SyncBackend(clock), new MapBackend(clock)];
  return await CacheManager.open({ backends, clock });
}

const text = fc.array(fc.constantFrom(..."@:/%!*?[]\\ab"), { maxLength: 4 })
  .map((parts) => parts.join(""));
const path = fc.array(text.filter((name) => name !== ""), { maxLength: 2 });

function inside(cache: Cache, names: readonly string[]): Cache {
  return names.reduce((scope, name) => scope.namespace(name), cache);
}

describe("Cache.namespace()", () => {
  it("keeps equal keys apart, in every operation", async () => {
    await using cache = await open();
    const caches: Cache[] = [
      cache,
      cache.namespace("a"),
      cache.namespace("b"),
      cache.namespace("a").namespace("b"),
      cache.namespace("a/b"),
      cache.namespace("a:b"),
      cache.namespace("@a"),
      cache.namespace("!tag"),
    ];
    for (const [at, scope] of caches.entries()) {
      await scope.set("key", at);
      await scope.setMany([{ key: "", value: `empty ${at}` }]);
    }
    for (const [at, scope] of caches.entries()) {
      assert.equal(await scope.get("key"), at);
      assert.equal(scope.peek("key"), at);
      assert.deepEqual(await scope.getMany(["", "key"]), [`empty ${at}`, at]);
      assert.equal(await scope.getOrSet("key", () => "loaded"), at);
      assert.equal(await scope.exists("key"), true);
    }
    assert.equal(await caches[1]!.delete("key"), true);
    assert.equal(await caches[2]!.deleteMany(["", "key"]), 2);
    assert.equal(await caches[1]!.exists("key"), false);
    for (const at of [0, 3, 4, 5, 6, 7]) assert.equal(await caches[at]!.get("key"), at);
  });

  it("opened twice is the same namespace", async () => {
    await using cache = await open();
    await cache.namespace("a").namespace("b").set("key", 1);
    assert.equal(await cache.namespace("a").namespace("b").get("key"), 1);
  });

  it("no two pairs of namespace and key share a value", async () => {
    await fc.assert(
      fc.asyncProperty(path, text, path, text, async (names, key, otherNames, otherKey) => {
        const isSame = JSON.stringify([names, key]) === JSON.stringify([otherNames, otherKey]);
        const cache = await open();
        await inside(cache, names).set(key, 1);
        assert.equal(await inside(cache, otherNames).get(otherKey), isSame ? 1 : undefined);
      }),
      { numRuns: 150 },
    );
  });

  it("clear() of one removes just what is in it and in those inside it", async () => {
    await fc.assert(
      fc.asyncProperty(path, path, text, async (cleared, names, key) => {
        const cache = await open();
        await inside(cache, names).set(key, 1);
        const isInside = cleared.every((name, at) => names[at] === name);
        assert.equal(await inside(cache, cleared).clear(), isInside ? 1 : 0);
        assert.equal(await inside(cache, names).get(key), isInside ? undefined : 1);
      }),
      { numRuns: 150 },
    );
  });
});

describe("Cache.clear()", () => {
  /** Which of some keys are left after a clear. */
  async function left(
    pattern: string | undefined,
    keys: readonly string[],
    scopeOf: (cache: CacheManager) => Cache = (cache) => cache,
  ): Promise<string[]> {
    await using cache = await open();
    const scope = scopeOf(cache);
    await scope.setMany(keys.map((key) => ({ key, value: key })));
    const before = keys.length;
    const removed = await scope.clear(pattern);
    const found = (await scope.getMany(keys)).filter((value) => value !== undefined) as string[];
    assert.equal(removed, before - found.length);
    return found;
  }

  const KEYS = ["", "user:1", "user:2", "user:10", "post:1", "a*b", "aXb", "[x]", "x", "\\", "@x"];

  it("takes globs with escaping, in the cache itself and in a namespace", async () => {
    for (
      const [pattern, removed] of [
        [undefined, KEYS],
        ["*", KEYS],
        ["user:*", ["user:1", "user:2", "user:10"]],
        ["user:?", ["user:1", "user:2"]],
        ["user:[13]", ["user:1"]],
        ["user:[^1]", ["user:2"]],
        ["a*b", ["a*b", "aXb"]],
        ["a\\*b", ["a*b"]],
        ["a?b", ["a*b", "aXb"]],
        ["\\[x\\]", ["[x]"]],
        ["[x]", ["x"]],
        ["\\\\", ["\\"]],
        ["\\", ["\\"]],
        ["@x", ["@x"]],
        ["\\@x", ["@x"]],
        ["?x", ["@x"]],
        ["[@]x", ["@x"]],
        ["@*", ["@x"]],
        ["", [""]],
        ["*1", ["user:1", "post:1"]],
        ["nothing", []],
      ] as const
    ) {
      const expected = KEYS.filter((key) => !(removed as readonly string[]).includes(key));
      assert.deepEqual(await left(pattern, KEYS), expected, pattern);
      const inNamespace = await left(pattern, KEYS, (cache) => cache.namespace("n*[s]"));
      assert.deepEqual(inNamespace, expected, `in a namespace: ${pattern}`);
    }
  });

  it("of a namespace leaves those whose name looks like a match", async () => {
    await using cache = await open();
    const names = ["n*", "nx", "n", "n?", "n[x]", "n\\*", "nn"];
    for (const name of names) await cache.namespace(name).set("key", name);
    await cache.namespace("n*").clear();
    await cache.namespace("n?").clear("*");
    for (const name of names) {
      const expected = name === "n*" || name === "n?" ? undefined : name;
      assert.equal(await cache.namespace(name).get("key"), expected);
    }
  });

  it("with a pattern leaves the namespaces inside", async () => {
    await using cache = await open();
    const outer = cache.namespace("outer");
    await outer.set("key", 1);
    await outer.namespace("inner").set("key", 2);
    assert.equal(await outer.clear("*"), 1);
    assert.equal(await outer.namespace("inner").get("key"), 2);
    assert.equal(await outer.clear(), 1);
    assert.equal(await outer.namespace("inner").get("key"), undefined);
  });

  it("of the cache itself reaches into namespaces as @name:key", async () => {
    await using cache = await open();
    await cache.namespace("a").set("user:1", 1);
    await cache.namespace("b").set("user:1", 1);
    assert.equal(await cache.clear("@a:user:*"), 1);
    assert.equal(await cache.namespace("a").get("user:1"), undefined);
    assert.equal(await cache.namespace("b").get("user:1"), 1);
    assert.equal(await cache.clear("*"), 1);
    assert.equal(await cache.namespace("b").get("user:1"), undefined);
  });
});
