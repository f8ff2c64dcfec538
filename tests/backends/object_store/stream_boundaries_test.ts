import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { systemClock } from "../../../src/clock.ts";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import { bytesFrom, bytesOfSize } from "../../backend_suite/stream_parts.ts";
import { eventually } from "../../servers/eventually.ts";
import { scratchFolder } from "../../servers/scratch.ts";
import { type ProxiedStore, ProxiedStores, WAYS } from "./proxied_stores.ts";

/** Bytes of a chunk of a frame. */
const CHUNK_BYTES = 256 * 1024;

let stores: ProxiedStores;
const { path, remove } = scratchFolder("stream-boundaries");
before(async () => {
  stores = await ProxiedStores.start();
});
after(async () => {
  remove();
  await stores.stop();
});

for (const way of WAYS) {
  describe(`a stream through a disk and ${way} that ends at any chunk`, () => {
    const withCache = async (
      body: (parts: {
        readonly cache: CacheManager;
        readonly store: ProxiedStore;
        /** Somewhat more than a part. */
        readonly value: Uint8Array;
        /** Files of values on the disk. */
        readonly files: () => number;
      }) => Promise<void>,
    ): Promise<void> => {
      const store = stores.of(way);
      store.proxy.clear();
      const folder = join(path, crypto.randomUUID());
      const files = (): number =>
        readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith(".value"))
          .length;
      const backend = store.open({ clock: systemClock, report: () => {} });
      const cache = await CacheManager.open({
        backends: [{ type: "filesystem", basePath: folder, maxBytes: "64MB" }, backend],
      });
      const value = bytesOfSize(store.partBytes + 3 * CHUNK_BYTES);
      try {
        await body({ cache, store, value, files });
      } finally {
        await cache.close();
        await backend.close();
      }
    };
    const chunksOf = (value: Uint8Array): Uint8Array[] =>
      Array.from(
        { length: Math.ceil(value.length / CHUNK_BYTES) },
        (_, at) => value.slice(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES),
      );

    it("leaves nothing when its writer gives up, or its signal does", () =>
      withCache(async ({ cache, store, value, files }) => {
        const chunks = chunksOf(value);
        for (let count = 0; count <= chunks.length; count++) {
          const key = `written ${count}`;
          const reason = new Error(`after ${count}`);
          const begun = chunks.slice(0, count).map((chunk) => chunk.slice());
          const controller = new AbortController();
          const isFailing = count % 2 === 0;
          const source = isFailing ? bytesFrom(begun, reason) : new ReadableStream<Uint8Array>({
            pull: (to) => {
              const chunk = begun.shift();
              if (chunk === undefined) controller.abort(reason);
              else to.enqueue(chunk);
            },
          }, { highWaterMark: 0 });
          await assert.rejects(
            cache.setStream(key, source, { signal: controller.signal }),
            (error) => error === reason,
          );
          assert.equal(await cache.exists(key), false, key);
          await eventually("no file", () => files() === 0);
          await eventually("no upload", async () => await store.leftovers(key) === 0);
        }
      }));

    it("leaves no copy when its reader gives up, or its signal does", () =>
      withCache(async ({ cache, store, value, files }) => {
        // Around the disk: what is read from there is copied nowhere.
        const backend = store.open({ clock: systemClock, report: () => {} });
        await using far = await CacheManager.open({ backends: [backend] });
        await far.setStream("read", bytesFrom([value.slice()]));
        const count = chunksOf(value).length;
        for (let reads = 0; reads < count; reads++) {
          const controller = new AbortController();
          const { signal } = controller;
          const reader = (await cache.getStream("read", { signal }))!.getReader();
          for (let read = 0; read < reads; read++) assert.equal((await reader.read()).done, false);
          if (reads % 2 === 0) {
            await reader.cancel();
          } else {
            const reason = new Error("enough");
            controller.abort(reason);
            await assert.rejects(
              async () => {
                while (!(await reader.read()).done);
              },
              (error) => error === reason,
            );
          }
          await eventually("no file", () => files() === 0);
        }
        let length = 0;
        for await (const piece of (await cache.getStream("read"))!) length += piece.length;
        assert.equal(length, value.length);
        await eventually("a copy", () => files() === 1);
        assert.equal(await cache.delete("read"), true);
        await backend.close();
      }));
  });
}
