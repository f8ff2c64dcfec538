import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { describe, it } from "node:test";
import { decodeStreamHeader, isStreamFrame, SLOT_BYTES } from "../../src/entry/stream_frame.ts";
import { isCacheError } from "../../src/errors.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import { bytesFrom, bytesOfSize } from "../backend_suite/stream_parts.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { GatedBackend } from "../fakes/gated_backend.ts";
import { SyncBackend } from "../fakes/sync_backend.ts";
import { watchEvents } from "../fakes/watch_events.ts";

const NAMES = ["memory", "fast", "slow"] as const;
type Name = typeof NAMES[number];
type Limits = { readonly maxTtl?: number; readonly maxEntryBytes?: number };

/** A cache over memory and two tiers of streams, each with its limits. */
async function open(limits: Partial<Record<Name, Limits>> = {}) {
  const clock = new FakeClock();
  const memory = new SyncBackend(clock, "memory");
  const fast = new GatedBackend(clock, "fast");
  const slow = new GatedBackend(clock, "slow");
  const backends = [memory, fast, slow].map((backend) => ({
    backend,
    ...limits[backend.name as Name],
  }));
  const cache = await CacheManager.open({ backends, clock });
  /** Leaves a value in the slow tier alone. */
  const sink = (): void => {
    memory.entries.clear();
    fast.held.clear();
    for (const tier of [fast, slow]) tier.reset();
  };
  /** What a tier holds of a key, and until when, read around the cache. */
  const look = async (name: Name): Promise<{ value: Uint8Array; until: number } | undefined> => {
    if (name === "memory") {
      const entry = memory.entries.get("key");
      return entry && { value: await entry.value() as Uint8Array, until: entry.expiresAt };
    }
    const tier = { fast, slow }[name];
    const { frame, expiresAt } = tier.held.get("key") ?? {};
    if (frame === undefined || expiresAt === undefined) return undefined;
    if (isStreamFrame(frame)) {
      const { metadata } = decodeStreamHeader(frame.slice(0, 128));
      assert.equal(metadata.expiresAt, expiresAt, "the frame says the same as the tier");
    }
    const alone = await CacheManager.open({ backends: [tier], clock });
    return { value: await alone.get("key") as Uint8Array, until: expiresAt };
  };
  return { cache, clock, memory, fast, slow, sink, look };
}

/** Which tiers hold a key. */
function holders({ memory, fast, slow }: Awaited<ReturnType<typeof open>>): Name[] {
  const held = {
    memory: memory.entries.has("key"),
    fast: fast.held.has("key"),
    slow: slow.held.has("key"),
  };
  return NAMES.filter((name) => held[name]);
}

const VALUE = bytesOfSize(1_500_000);
const CHUNKS = Math.ceil(VALUE.length / SLOT_BYTES);
const old = (): ReadableStream<Uint8Array> => bytesFrom([bytesOfSize(400_000)]);

/** The value, and what is looked at before each of its pieces. */
function watched(look: () => void): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      await new Promise((resolve) => setImmediate(resolve));
      look();
      if (at === VALUE.length) return controller.close();
      controller.enqueue(VALUE.slice(at, at + 100_000));
      at = Math.min(VALUE.length, at + 100_000);
    },
  }, { highWaterMark: 0 });
}

async function readAll(stream: ReadableStream<Uint8Array> | undefined): Promise<Uint8Array> {
  assert.ok(stream !== undefined);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

describe("the largest entry of a tier", () => {
  for (const name of NAMES) {
    it(`is kept to while a stream is written, and the other tiers have it whole (${name})`, async () => {
      for (const size of [undefined, VALUE.length]) {
        const parts = await open({ [name]: { maxEntryBytes: 700_000 } });
        const { cache, look } = parts;
        await cache.setStream("key", old());
        assert.deepStrictEqual(holders(parts), NAMES);
        const seen = new Set<number>();
        const source = watched(() => {
          for (const { held } of [parts.fast, parts.slow]) {
            seen.add(held.get("key")?.frame.length ?? 0);
          }
        });
        const stored = await cache.setStream("key", source, size === undefined ? {} : { size });
        assert.equal(stored, true, "every tier that should hold it does");
        assert.equal(seen.size, 1, "until the end there is what there was");
        const others = NAMES.filter((other) => other !== name);
        assert.deepStrictEqual(holders(parts), others, "what was there is older, and went");
        for (const other of others) assert.deepStrictEqual((await look(other))!.value, VALUE);
        const { tiers } = await cache.getStats();
        assert.deepStrictEqual(tiers.map(({ declined }) => declined > 0), [
          ...NAMES.map((each) => each === name),
        ]);
        await cache.close();
      }
    });
  }

  for (const name of ["memory", "fast"] as const) {
    it(`is kept to by copies of what is read (${name})`, async () => {
      const parts = await open({ [name]: { maxEntryBytes: 700_000 } });
      const { cache, sink, look } = parts;
      const errors = watchEvents(cache, "tierError");
      await cache.setStream("key", bytesFrom([VALUE.slice()]));
      sink();
      assert.deepStrictEqual(await readAll(await cache.getStream("key")), VALUE);
      await cache.flush();
      assert.deepStrictEqual(holders(parts), NAMES.filter((other) => other !== name));
      assert.deepStrictEqual((await look("slow"))!.value, VALUE);
      assert.deepStrictEqual(errors, []);
      await cache.close();
    });
  }
});

describe("the longest life of a tier", () => {
  it("holds for each tier of a stream that is written, and for each copy with the time it has left", async () => {
    const { cache, clock, look, sink } = await open({
      memory: { maxTtl: 3 },
      fast: { maxTtl: 5 },
    });
    const begun = clock.now();
    const lives = async (): Promise<(number | undefined)[]> => {
      const found: (number | undefined)[] = [];
      for (const name of NAMES) {
        const held = await look(name);
        found.push(held && held.until - clock.now());
      }
      return found;
    };
    await cache.setStream("key", bytesFrom([VALUE.slice()]), { ttl: 100 });
    assert.deepStrictEqual(await lives(), [3000, 5000, 100_000]);
    const expected: [elapsed: number, lives: number[]][] = [
      [60_000, [3000, 5000, 40_000]],
      [96_000, [3000, 4000, 4000]],
      [98_000, [2000, 2000, 2000]],
    ];
    for (const [elapsed, left] of expected) {
      sink();
      clock.advance(begun + elapsed - clock.now());
      assert.deepStrictEqual(await readAll(await cache.getStream("key")), VALUE);
      await cache.flush();
      assert.deepStrictEqual(await lives(), left, `after ${elapsed} ms`);
    }
    clock.advance(2000);
    assert.equal(await cache.getStream("key"), undefined);
    await cache.close();
  });

  it("ends a copy, and the slower tier is read again", async () => {
    const parts = await open({ memory: { maxTtl: 3 }, fast: { maxTtl: 5 } });
    const { cache, clock } = parts;
    const hits = watchEvents(parts.cache, "hit");
    await cache.setStream("key", bytesFrom([VALUE.slice()]), { ttl: 100 });
    for (const wait of [0, 3000, 3000, 5000]) {
      clock.advance(wait);
      assert.deepStrictEqual(await readAll(await cache.getStream("key")), VALUE);
      await cache.flush();
    }
    assert.deepStrictEqual(hits.map(({ tier }) => tier), ["memory", "fast", "slow", "slow"]);
    await cache.close();
  });
});

describe("a stream through three tiers that ends at any chunk", () => {
  const reason = new Error("enough");
  const isReason = (error: unknown): boolean => error === reason;

  it("leaves what was there when its producer or its signal ends it", async () => {
    const before = bytesOfSize(400_000);
    for (const isFilled of [false, true]) {
      const parts = await open();
      const { cache, fast, slow, look } = parts;
      if (isFilled) await cache.setStream("key", old());
      for (let count = 0; count <= CHUNKS; count++) {
        for (const isFailing of [true, false]) {
          const controller = new AbortController();
          const pieces = Array.from(
            { length: count },
            (_, at) => VALUE.slice(at * SLOT_BYTES, (at + 1) * SLOT_BYTES),
          );
          const source = isFailing ? bytesFrom(pieces, reason) : new ReadableStream<Uint8Array>({
            pull: (to) => {
              const piece = pieces.shift();
              if (piece === undefined) controller.abort(reason);
              else to.enqueue(piece);
            },
          }, { highWaterMark: 0 });
          const storing = cache.setStream("key", source, { signal: controller.signal });
          await assert.rejects(storing, isReason);
          await cache.flush();
          assert.deepStrictEqual(holders(parts), isFilled ? NAMES : []);
          // What is less than a chunk may still be a small value, which is no stream to a tier.
          const told = count < 1 ? [] : [reason, reason];
          assert.deepStrictEqual([...fast.stopped, ...slow.stopped], told, `after ${count}`);
          for (const tier of [fast, slow]) tier.reset();
        }
      }
      for (const name of isFilled ? NAMES : []) {
        assert.deepStrictEqual((await look(name))!.value, before, name);
      }
      await cache.close();
    }
  });

  it("leaves no copy when its reader, its signal, the line or damage ends it", async () => {
    const parts = await open();
    const { cache, slow, sink } = parts;
    await cache.setStream("key", bytesFrom([VALUE.slice()]));
    const { frame } = slow.held.get("key")!;
    for (let chunks = 0; chunks < CHUNKS; chunks++) {
      const read = async (
        signal?: AbortSignal,
      ): Promise<ReadableStreamDefaultReader<Uint8Array>> => {
        sink();
        const stream = await cache.getStream("key", signal && { signal });
        const reader = stream!.getReader();
        for (let at = 0; at < chunks; at++) assert.equal((await reader.read()).done, false);
        return reader;
      };
      const rest = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> => {
        while (!(await reader.read()).done);
      };
      const ends: Record<string, () => Promise<void>> = {
        reader: async () => await (await read()).cancel(reason),
        signal: async () => {
          const controller = new AbortController();
          const reader = await read(controller.signal);
          controller.abort(reason);
          await assert.rejects(reader.read(), isReason);
        },
        line: async () => {
          const reader = await read();
          slow.breaksAt = slow.given;
          await assert.rejects(rest(reader), (error) => isCacheError(error, "backend"));
          slow.breaksAt = Infinity;
        },
        damage: async () => {
          // Of which the first is found when the stream is opened.
          if (chunks === 0) return;
          const at = chunks * SLOT_BYTES + 100;
          frame[at]! ^= 1;
          const reader = await read();
          await assert.rejects(rest(reader), (error) => isCacheError(error, "corrupt"));
          frame[at]! ^= 1;
          await cache.flush();
          assert.deepStrictEqual(holders(parts), []);
          slow.held.set("key", { frame, expiresAt: Infinity });
        },
      };
      for (const [what, end] of Object.entries(ends)) {
        await end();
        await cache.flush();
        assert.deepStrictEqual(holders(parts), ["slow"], `${what} after ${chunks}`);
      }
    }
    sink();
    assert.deepStrictEqual(await readAll(await cache.getStream("key")), VALUE);
    await cache.flush();
    assert.deepStrictEqual(holders(parts), NAMES);
    await cache.close();
  });
});

describe("a change that comes while a copy is under way", () => {
  const newer = bytesOfSize(500_000);
  type Parts = Awaited<ReturnType<typeof open>>;
  const changes: Record<string, [(parts: Parts) => Promise<unknown>, Uint8Array | undefined]> = {
    delete: [({ cache }) => cache.delete("key"), undefined],
    clear: [({ cache }) => cache.clear(), undefined],
    "clear of a pattern": [({ cache }) => cache.clear("k*"), undefined],
    deleteByTag: [({ cache }) => cache.deleteByTag("tag"), undefined],
    set: [({ cache }) => cache.set("key", newer), newer],
    setStream: [({ cache }) => cache.setStream("key", bytesFrom([newer.slice()])), newer],
  };
  for (const [what, [change, expected]] of Object.entries(changes)) {
    for (const when of ["read", "written behind its reader"]) {
      it(`wins: ${what} while it is ${when}`, async () => {
        const parts = await open();
        const { cache, fast, sink, look } = parts;
        await cache.setStream("key", bytesFrom([VALUE.slice()]), { tags: ["tag"] });
        sink();
        const isBehind = when !== "read";
        if (isBehind) fast.allow(2);
        const reader = (await cache.getStream("key"))!.getReader();
        let bytes = 0;
        const read = async (most: number): Promise<void> => {
          for (let at = 0; at < most; at++) {
            const { done, value } = await reader.read();
            if (done) break;
            bytes += value.length;
          }
        };
        await read(isBehind ? Infinity : 3);
        const changing = change(parts);
        if (isBehind) {
          await new Promise((resolve) => setImmediate(resolve));
          fast.allow(Infinity);
        }
        await changing;
        await read(Infinity);
        assert.equal(bytes, VALUE.length, "who had begun to read reads to the end");
        await cache.flush();
        const found = await cache.get("key");
        assert.deepStrictEqual(found, expected);
        for (const name of NAMES) {
          // What a tag was dropped from is looked at when it is read, not sought.
          if (what !== "deleteByTag") {
            assert.deepStrictEqual((await look(name))?.value, expected, name);
          }
        }
        await cache.close();
      });
    }
  }
});
