import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../../src/clock.ts";
import { type CacheErrorCode, isCacheError } from "../../../src/errors.ts";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import { mapLimited } from "../../../src/manager/map_limited.ts";
import { readFrame } from "../../backend_suite/stream_parts.ts";
import { entryOf } from "../../fakes/entries.ts";
import { BOMB_BYTES, type HostileFrame, hostileFrames } from "../../fakes/hostile_frames.ts";
import { watchEvents } from "../../fakes/watch_events.ts";
import { assertWithinMemory } from "../../process_memory.ts";
import { type ProxiedStore, ProxiedStores, WAYS } from "./proxied_stores.ts";

/** What a line beside an object says of one that never ends. */
const LIVE = "1;never;never;1";

const DAMAGE: readonly CacheErrorCode[] = ["corrupt", "decoded-size", "unsupported-format"];

/** What is told of one object. */
interface Told {
  readonly key?: string | undefined;
  readonly error?: unknown;
}

/** Ways to read. */
const READS: Record<string, (cache: CacheManager, key: string) => Promise<unknown>> = {
  value: (cache, key) => cache.get(key),
  values: async (cache, key) => (await cache.getMany([key]))[0],
  stream: (cache, key) => readStream(cache, key),
  range: (cache, key) => readStream(cache, key, 10),
};

let stores: ProxiedStores;
let frames: ReadonlyMap<string, HostileFrame>;
before(async () => {
  [stores, frames] = await Promise.all([ProxiedStores.start(), hostileFrames()]);
});
after(() => stores.stop());

/** What is behind the clients is the same for every store; that of Azure is the slowest. */
const STORES = WAYS.filter((way) => way !== "Azure");

for (const way of STORES) {
  describe(`hostile objects in ${way}`, () => {
    const withCache = async (
      body: (parts: {
        readonly store: ProxiedStore;
        readonly cache: CacheManager;
        /** What was told of what is damaged, by the backend or the cache. */
        readonly told: readonly Told[];
      }) => Promise<void>,
    ): Promise<void> => {
      const store = stores.of(way);
      store.proxy.clear();
      const told: Told[] = [];
      const backend = store.open({ clock: systemClock, report: (report) => told.push(report) });
      const maxDecodedBytes = BOMB_BYTES / 2;
      const cache = await CacheManager.open({ backends: [backend], maxDecodedBytes });
      try {
        cache.on("corrupt", (event) => told.push(event));
        await body({ store, cache, told });
      } finally {
        await cache.close();
      }
    };

    for (
      const [line, ways] of [[LIVE, ["value", "stream"]], [undefined, ["values", "range"]]] as const
    ) {
      it(`are a miss that is told, ${line ? "with" : "without"} what stands beside them`, () =>
        withCache(async ({ store: { put }, cache, told }) => {
          const failures = watchEvents(cache, "tierError");
          const cases = [...frames].flatMap(([name, frame], at) =>
            ways.map((how) => {
              const read = READS[how]!;
              const key = `hostile-${at}-${how}`;
              return { what: `${name} as ${how}`, key, read, frame };
            })
          );
          await mapLimited(cases, 16, ({ key, frame }) => put(key, frame(key), line));
          // What is loaded on first use is no part of what a read takes.
          for (const read of Object.values(READS)) {
            await cache.set("warm", new Uint8Array(1_000_000));
            await read(cache, "warm");
          }
          await assertWithinMemory(async () => {
            await mapLimited(cases, 8, async ({ what, key, read }) => {
              const outcome = await read(cache, key).catch((error) => error);
              if (
                outcome instanceof Error && (read === READS["stream"] || read === READS["range"])
              ) {
                assert.ok(isCacheError(outcome), `${what}: ${outcome}`);
                assert.ok(DAMAGE.includes(outcome.code), `${what}: ${outcome}`);
              } else {
                assert.ok(outcome === undefined, what);
              }
              const events = told.filter((event) => event.key === key);
              assert.ok(events.length >= 1, `${what}: ${events.length} events`);
              for (const { error } of events) assert.ok(isCacheError(error), what);
            });
            // Bombs of one codec are read at the same time, and would take more.
          }, 2 * BOMB_BYTES);
          await cache.flush();
          await mapLimited(cases, 16, async ({ what, key }) => {
            assert.equal(await cache.set(key, what), true, what);
            assert.equal(await cache.get(key), what);
          });
          assert.deepEqual(failures, []);
        }));
    }

    it("are over when frame or line say so, and told of by nobody", () =>
      withCache(async ({ store: { put }, cache, told }) => {
        const over = entryOf("", 1, { clock: systemClock, ttlMs: -1 });
        for (const [how, read] of Object.entries(READS)) {
          const key = `over-${how}`;
          const bytes = new Uint8Array(1000);
          const frame = await entryOf(key, bytes, { clock: systemClock, ttlMs: -1 }).encode();
          for (const line of [LIVE, `1;${over.expiresAt};${over.expiresAt};1`, undefined]) {
            await put(key, frame, line);
            assert.equal(await read(cache, key), undefined, `${how} with ${line}`);
            assert.equal(await cache.set(key, "new"), true);
            assert.equal(await cache.get(key), "new");
          }
        }
        assert.deepEqual(told, []);
      }));

    it("do no harm by lines that are none, or that lie", () =>
      withCache(async ({ store: { put }, cache }) => {
        const lines = [
          "",
          "0",
          "1;;;",
          "1;never;0;1",
          "1;-1;-1;-1",
          "2;never;never;1",
          "x".repeat(1000),
        ];
        const lies = ["1;1;1;1", "1;never;never;9e+300", "1;0;never;9e+300", "1;9e+99;9e+99;0"];
        for (const [at, line] of [...lines, ...lies].entries()) {
          for (const how of ["value", "range"] as const) {
            const read = READS[how]!;
            const key = `line-${at}-${how}`;
            const bytes = new Uint8Array(1000).fill(at);
            await put(key, await entryOf(key, bytes).encode(), line);
            const found = await read(cache, key);
            if (found !== undefined || at < lines.length) {
              assert.deepEqual(found, bytes.subarray(how === "range" ? 10 : 0), line);
            }
            await cache.exists(key);
            await cache.delete(key);
            assert.equal(await cache.set(key, "new"), true, `${line} ${how}`);
            assert.equal(await cache.get(key), "new", line);
          }
        }
      }));
  });
}

async function readStream(
  cache: CacheManager,
  key: string,
  offset?: number,
): Promise<Uint8Array | undefined> {
  const stream = await cache.getStream(key, offset === undefined ? {} : { offset });
  return stream && await readFrame({ frameLength: 0, frame: stream });
}
