import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryBackend } from "../../../backends/memory.ts";
import { createShardedBackend } from "../../../backends/sharded.ts";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import { CacheBackendRegistry } from "../../../src/registry.ts";
import type { CacheEntry } from "../../../src/entry/entry.ts";
import type { CacheBackend } from "../../../src/types.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { MapBackend } from "../../fakes/map_backend.ts";

const clock = new FakeClock();
const context = { clock, report: () => {} };
const memory = { type: "memory" };

const CAPABILITIES = ["getSync", "peek", "getMany", "setMany", "deleteMany", "keys"] as const;

describe("createShardedBackend()", () => {
  const cases: [config: Record<string, unknown>, name: string, message: RegExp][] = [
    [
      {},
      "TypeError",
      /'shards' must be an array of at least one shard: current value is undefined/,
    ],
    [{ shards: [] }, "TypeError", /'shards' must be an array of at least one shard/],
    [{ shards: [memory], shard: 1 }, "TypeError", /'shard' is not known: did you mean "shards"\?/],
    [{ shards: ["memory"] }, "TypeError", /shards\[0\] must be a config object or a CacheBackend/],
    [{ shards: [{}] }, "TypeError", /'type' must be one of "memory"/],
    [{ shards: [{ ...memory, id: "" }] }, "TypeError", /shards\[0\]: 'id' must be a non-empty/],
    [{ shards: [{ ...memory, weight: "1" }] }, "TypeError", /'weight' must be a number/],
    [{ shards: [{ ...memory, weight: 0 }] }, "RangeError", /'weight' must be positive and finite/],
    [{ shards: [{ ...memory, weight: NaN }] }, "RangeError", /'weight' must be positive and/],
    [{ shards: [{ ...memory, weight: Infinity }] }, "RangeError", /'weight' must be positive/],
    [{ shards: [{ backend: {} }] }, "TypeError", /shards\[0\]: 'backend' must be a CacheBackend/],
    [
      { shards: [{ backend: new MapBackend(clock), maxEntries: 1 }] },
      "TypeError",
      /'maxEntries' is not known/,
    ],
    [{ shards: [{ get() {}, set() {} }] }, "TypeError", /shards\[0\] is no CacheBackend: 'name'/],
    [{ shards: [{ ...memory, maxEntires: 1 }] }, "TypeError", /'maxEntires' is not known/],
    [{ shards: [memory, memory] }, "TypeError", /two shards are named "memory": give one of them/],
    [{ shards: [memory], shardDeadline: 0 }, "RangeError", /'shardDeadline' must be positive/],
  ];
  for (const [config, name, message] of cases) {
    it(`refuses ${JSON.stringify(config)}: ${message.source}`, async () => {
      await assert.rejects(createShardedBackend(config, context), { name, message });
    });
  }

  it("closes the shards that it opened, and no others, when one cannot be", async () => {
    const closed: string[] = [];
    const watched = (name: string): CacheBackend =>
      Object.assign(new MapBackend(clock, name), {
        close: () => Promise.resolve(void closed.push(name)),
      });
    CacheBackendRegistry.register("watched", () => watched("own"));
    try {
      await assert.rejects(
        createShardedBackend({ shards: [watched("given"), { type: "watched" }, { type: "no" }] }),
        /'type' must be one of/,
      );
      assert.deepStrictEqual(closed, ["own"]);
    } finally {
      CacheBackendRegistry.unregister("watched");
    }
  });

  it("gives capabilities that all shards have, and no others", async () => {
    const whole = await createShardedBackend(
      { shards: [memory, new MemoryBackend({ name: "other" }, context)] },
      context,
    );
    for (const name of CAPABILITIES) assert.equal(typeof whole[name], "function", name);
    assert.equal(whole.createInvalidationBus, undefined);
    assert.equal(whole.createLockProvider, undefined);
    const part = await createShardedBackend({ shards: [memory, new MapBackend(clock)] }, context);
    for (const name of CAPABILITIES) {
      assert.equal(typeof part[name], name === "keys" ? "function" : "undefined", name);
    }
    await Promise.all([whole.close(), part.close()]);
  });

  it("hands versioned writes to the shards, where all have them", async () => {
    const asked: string[] = [];
    const versioned = (name: string): CacheBackend =>
      Object.assign(new MapBackend(clock, name), {
        setNewest: (entries: readonly CacheEntry[]) => {
          for (const { key } of entries) asked.push(key);
          return Promise.resolve(
            entries.map(({ key }) => key === "old" ? "outdated" as const : "stored" as const),
          );
        },
        deleteUpTo: (keys: readonly string[], version: number) => {
          for (const key of keys) asked.push(`${key}@${version}`);
          return Promise.resolve(keys.length);
        },
      });
    const shards = [versioned("a"), versioned("b")];
    const sharded = await createShardedBackend({ shards }, context);
    const keys = ["one", "old", "two", "three", "four", "five"];
    assert.deepStrictEqual(
      await sharded.setNewest!(keys.map((key) => entryOf(key, 1))),
      keys.map((key) => key === "old" ? "outdated" : "stored"),
    );
    assert.deepStrictEqual(asked.splice(0).sort(), keys.toSorted());
    assert.equal(await sharded.deleteUpTo!(keys, 7), keys.length);
    assert.deepStrictEqual(asked.sort(), keys.map((key) => `${key}@7`).sort());
    const part = await createShardedBackend({ shards: [...shards, memory] }, context);
    assert.equal(part.setNewest ?? part.deleteUpTo, undefined);
  });

  it("is what a cache opens for its type", async () => {
    const cache = await CacheManager.open({
      backends: [{
        type: "sharded",
        name: "fleet",
        shards: [{ ...memory, id: "a" }, { ...memory, id: "b", weight: 2 }],
      }],
    });
    await cache.setMany([{ key: "one", value: 1 }, { key: "two", value: 2 }]);
    assert.deepStrictEqual(await cache.getMany(["two", "one", "three"]), [2, 1, undefined]);
    assert.equal((await cache.getStats()).tiers[0]?.name, "fleet");
    await cache.close();
  });
});
