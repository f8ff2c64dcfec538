import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryBackend } from "../../../backends/memory.ts";
import { createShardedBackend, type ShardedBackend } from "../../../backends/sharded.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { MapBackend } from "../../fakes/map_backend.ts";

const KEYS = Array.from({ length: 400 }, (_, at) => `key:${at}`);
const clock = new FakeClock();
const context = { clock, report: () => {} };

function stores(...names: string[]): MemoryBackend[] {
  return names.map((name) => new MemoryBackend({ name }, context));
}

function over(...shards: MemoryBackend[]): Promise<ShardedBackend> {
  return createShardedBackend({ shards }, context);
}

async function write(sharded: ShardedBackend, value: string): Promise<void> {
  for (const key of KEYS) await sharded.set(key, entryOf(key, value, { clock }));
}

async function read(sharded: ShardedBackend): Promise<Set<unknown>> {
  const entries = await sharded.getMany!(KEYS);
  return new Set(await Promise.all(entries.map((entry) => entry?.value())));
}

describe("ShardedBackend when the shards change", () => {
  it("misses the share of a shard that is added, and serves the rest", async () => {
    const [a, b, c, d] = stores("a", "b", "c", "d") as [
      MemoryBackend,
      MemoryBackend,
      MemoryBackend,
      MemoryBackend,
    ];
    await write(await over(a, b, c), "value");
    const entries = await (await over(d, c, b, a)).getMany!(KEYS);
    const missed = entries.filter((entry) => entry === undefined).length;
    assert.ok(Math.abs(missed / KEYS.length - 1 / 4) < 0.1, `${missed} moved`);
  });

  it("serves no old copy of a shard that was cleared before it came back", async () => {
    const [a, b] = stores("a", "b") as [MemoryBackend, MemoryBackend];
    await write(await over(a, b), "old");
    await write(await over(a), "new");
    assert.deepStrictEqual(await read(await over(a, b)), new Set(["new", "old"]), "as documented");
    await b.clear();
    assert.deepStrictEqual(await read(await over(a, b)), new Set(["new", undefined]));
  });

  it("removeStrays() leaves each shard its own keys, so that no old copy is found later", async () => {
    const [a, b] = stores("a", "b") as [MemoryBackend, MemoryBackend];
    await write(await over(a), "old");
    const both = await over(a, b);
    const kept = (await both.getMany!(KEYS)).filter((entry) => entry !== undefined).length;
    assert.equal(await both.removeStrays(), KEYS.length - kept);
    assert.equal(await both.removeStrays(), 0);
    assert.equal((await both.getStats()).entries, kept);
    await write(both, "new");
    // The other shard goes: its keys come back to this one, which has nothing of them.
    assert.deepStrictEqual(await read(await over(a)), new Set(["new", undefined]));
  });

  it("keys() lists no strays", async () => {
    const [a, b] = stores("a", "b") as [MemoryBackend, MemoryBackend];
    await write(await over(a), "old");
    const both = await over(a, b);
    const listed: string[] = [];
    for await (const key of both.keys!("key:*")) listed.push(key);
    const entries = await both.getMany!(KEYS);
    assert.deepStrictEqual(
      listed.sort(),
      KEYS.filter((_, at) => entries[at] !== undefined).sort(),
    );
  });

  it("removeStrays() removes one by one where a shard has no batches, and refuses one that lists no keys", async () => {
    const map = new MapBackend(clock);
    const [a] = stores("a") as [MemoryBackend];
    for (const key of KEYS) await map.set(key, entryOf(key, "old", { clock }));
    const both = await createShardedBackend({ shards: [map, a] }, context);
    const strays = await both.removeStrays();
    assert.ok(strays > 100 && strays < 300);
    assert.equal((await map.getStats()).entries, KEYS.length - strays);
    const deaf = Object.assign(new MapBackend(clock, "deaf"), { keys: undefined });
    const unlisted = await createShardedBackend({ shards: [deaf as never] }, context);
    await assert.rejects(unlisted.removeStrays(), {
      name: "TypeError",
      message: 'Cannot remove strays: shard "deaf" cannot list its keys',
    });
  });
});
