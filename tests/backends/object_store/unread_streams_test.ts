import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createFilesystemBackend } from "../../../backends/filesystem.ts";
import { createRedisBackend } from "../../../backends/redis.ts";
import { systemClock } from "../../../src/clock.ts";
import { isCacheError } from "../../../src/errors.ts";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import type { CacheBackend } from "../../../src/types.ts";
import { bytesFrom, bytesOfSize } from "../../backend_suite/stream_parts.ts";
import { watchEvents } from "../../fakes/watch_events.ts";
import { eventually } from "../../servers/eventually.ts";
import { type RedisServer, startRedis } from "../../servers/redis_server.ts";
import { scratchFolder } from "../../servers/scratch.ts";
import { ProxiedStores, WAYS } from "./proxied_stores.ts";

/** Requests that a store is sent at once. */
const MAX_REQUESTS = 4;

/** Streams that nobody reads: more than that. */
const STREAMS = 3 * MAX_REQUESTS;

const VALUE = bytesOfSize(2_000_000);

const context = { clock: systemClock, report: () => {} };
const { path, remove } = scratchFolder("unread-streams");
let stores: ProxiedStores;
let redis: RedisServer;
before(async () => {
  [stores, redis] = await Promise.all([ProxiedStores.start(), startRedis()]);
});
after(async () => {
  remove();
  await Promise.all([stores.stop(), redis.stop()]);
});

const backends: Record<string, () => CacheBackend | Promise<CacheBackend>> = {
  "a disk": () => createFilesystemBackend({ basePath: join(path, "far"), name: "far" }, context),
  Redis: () => createRedisBackend({ redisUrl: redis.url, prefix: "unread" }, context),
};
for (const way of WAYS) {
  backends[way] = () => {
    stores.of(way).proxy.clear();
    return stores.of(way).open(context, { maxRequests: MAX_REQUESTS });
  };
}

for (const [name, open] of Object.entries(backends)) {
  describe(`streams of ${name} that nobody reads`, () => {
    const withCache = async (
      body: (cache: CacheManager, files: () => number) => Promise<void>,
    ): Promise<void> => {
      const folder = join(path, crypto.randomUUID());
      const files = (): number =>
        readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith(".value"))
          .length;
      // Closed at once: another reader of a disk may take its time to see what is new.
      const far = await CacheManager.open({ backends: [await open()] });
      await far.setStream("key", bytesFrom([VALUE.slice()]));
      await far.close();
      const cache = await CacheManager.open({
        backends: [{ type: "filesystem", basePath: folder, maxBytes: "64MB" }, await open()],
      });
      try {
        await body(cache, files);
        assert.equal(files(), 0, "nothing of it was copied");
      } finally {
        await cache.close();
      }
    };

    for (const chunks of [0, 1]) {
      it(`hold up nothing else, and end with the cache, after ${chunks} chunks`, () =>
        withCache(async (cache) => {
          const failures = watchEvents(cache, "tierError");
          const readers: ReadableStreamDefaultReader<Uint8Array>[] = [];
          for (let count = 0; count < STREAMS; count++) {
            const reader = (await cache.getStream("key"))!.getReader();
            for (let at = 0; at < chunks; at++) await reader.read();
            readers.push(reader);
          }
          const other = `other ${chunks}`;
          assert.equal(await cache.set(other, 1), true);
          assert.equal(await cache.exists("key"), true);
          assert.deepEqual(await cache.getMany([other, "none"]), [1, undefined]);
          let length = 0;
          for await (const piece of (await cache.getStream("key", { offset: 1_000_000 }))!) {
            length += piece.length;
          }
          assert.equal(length, 1_000_000);
          assert.equal(await cache.delete(other), true);
          await cache.close();
          for (const reader of readers) {
            await assert.rejects(
              async () => {
                while (!(await reader.read()).done);
              },
              (error) => isCacheError(error, "closed"),
            );
          }
          assert.deepEqual(failures, []);
        }));
    }

    it("let a cache end that is dropped with them", () =>
      withCache(async (cache) => {
        for (let count = 0; count < STREAMS; count++) await cache.getStream("key");
        await cache.close();
        await assert.rejects(cache.get("key"), (error) => isCacheError(error, "closed"));
      }));
  });

  describe(`a stream to ${name} that never gives anything`, () => {
    it("ends with its signal, or with the cache, and leaves nothing", async () => {
      for (const given of [0, 100_000, 1_000_000]) {
        for (const how of ["signal", "close"]) {
          const backend = await open();
          const cache = await CacheManager.open({ backends: [backend] });
          const controller = new AbortController();
          const reason = new Error("enough");
          let pulls = 0;
          let isCancelled = false;
          const source = new ReadableStream<Uint8Array>({
            pull: (to) => {
              if (pulls++ === 0 && given > 0) to.enqueue(bytesOfSize(given));
              else return new Promise(() => {});
            },
            cancel: () => void (isCancelled = true),
          }, { highWaterMark: 0 });
          const options = how === "signal" ? { signal: controller.signal } : {};
          const writing = cache.setStream("never", source, options);
          writing.catch(() => {});
          await eventually("it waits", () => pulls === (given > 0 ? 2 : 1));
          // Others are not held up by it, those of its own key included.
          assert.equal(await cache.set("never", "other"), true);
          if (how === "signal") controller.abort(reason);
          const closing = how === "signal" ? undefined : cache.close();
          await assert.rejects(
            writing,
            (error) => how === "signal" ? error === reason : isCacheError(error, "closed"),
          );
          assert.ok(isCancelled);
          await (closing ?? cache.close());
          const after = await CacheManager.open({ backends: [await open()] });
          assert.equal(await after.get("never"), "other");
          await after.close();
        }
      }
    });
  });
}
