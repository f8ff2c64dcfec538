import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createRedisBackend } from "../../../backends/redis.ts";
import { createShardedBackend } from "../../../backends/sharded.ts";
import { createUpstashBackend } from "../../../backends/upstash.ts";
import { isCacheError } from "../../../src/errors.ts";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import type { BackendContext, BackendReport, CacheBackend } from "../../../src/types.ts";
import { MemoryBackend } from "../../../backends/memory.ts";
import { systemClock } from "../../../src/clock.ts";
import {
  bytesFrom,
  bytesOfSize,
  framed,
  readFrame,
  type Streaming,
  streaming,
} from "../../backend_suite/stream_parts.ts";
import { entryOf } from "../../fakes/entries.ts";
import { eventually } from "../../servers/eventually.ts";
import { type RedisServer, startRedis, startRedisCluster } from "../../servers/redis_server.ts";
import { startUpstashBridge, type UpstashBridge } from "../../servers/upstash_bridge.ts";

let server: RedisServer;
let nodes: readonly RedisServer[];
let bridge: UpstashBridge;

before(async () => {
  [server, nodes] = await Promise.all([startRedis(), startRedisCluster()]);
  bridge = await startUpstashBridge({ redisPort: server.port });
});
after(async () => {
  await bridge.stop();
  await Promise.all([server, ...nodes].map((each) => each.stop()));
});

/** How a backend is opened, and the servers in which its keys are. */
interface Form {
  readonly open: (
    config: Record<string, unknown>,
    context: BackendContext,
  ) => CacheBackend | Promise<CacheBackend>;
  readonly servers: () => readonly RedisServer[];
}

const FORMS: Record<string, Form> = {
  "one server": {
    open: (config, context) => createRedisBackend({ redisUrl: server.url, ...config }, context),
    servers: () => [server],
  },
  "a cluster": {
    open: (config, context) => {
      const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`).join();
      return createRedisBackend({ redisUrl: `redis+cluster://${hosts}`, ...config }, context);
    },
    servers: () => nodes,
  },
  "REST": {
    open: ({ maxValueBytes, ...config }, context) =>
      createUpstashBackend({
        url: bridge.url,
        token: bridge.token,
        ...(maxValueBytes === undefined ? {} : { maxStreamBytes: maxValueBytes }),
        ...config,
      }, context),
    servers: () => [server],
  },
  "shards": {
    open: (config, context) =>
      createShardedBackend({
        shards: ["a", "b"].map((id) => ({
          id,
          type: "redis",
          redisUrl: server.url,
          ...config,
          prefix: `${config["prefix"]}:${id}`,
        })),
      }, context),
    servers: () => [server],
  },
};

let opened = 0;

/** Reads a stream to its end. */
async function lengthOf(stream: ReadableStream<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const piece of stream) length += piece.length;
  return length;
}

for (const [form, { open, servers }] of Object.entries(FORMS)) {
  describe(`streams through ${form}`, () => {
    /** Runs a test with a backend, and a way to list what the servers hold for it. */
    const withBackend = async (
      body: (parts: {
        readonly store: Streaming;
        readonly chunks: () => Promise<string[]>;
        readonly reports: readonly BackendReport[];
        readonly context: BackendContext;
      }) => Promise<void>,
      config: Record<string, unknown> = {},
    ): Promise<void> => {
      const prefix = `streams:${++opened}`;
      const reports: BackendReport[] = [];
      const context: BackendContext = {
        clock: systemClock,
        report: (report) => void reports.push(report),
      };
      const backend = await open({ prefix, ...config }, context);
      const chunks = async (): Promise<string[]> => {
        const found: string[] = [];
        for (const each of servers()) {
          found.push(...await each.command("KEYS", `${prefix}*!stream:*`) as string[]);
        }
        return found.map(String);
      };
      try {
        await body({ store: streaming(backend), chunks, reports, context });
        await backend.clear();
        assert.deepStrictEqual(await chunks(), [], "nothing is left");
      } finally {
        await backend.close?.();
      }
    };
    const put = async (store: Streaming, key: string, size: number, version = 1): Promise<void> => {
      const { entry, frame } = framed(key, bytesOfSize(size), { clock: systemClock, version });
      const source = { ...entry, frame: bytesFrom([frame]) };
      assert.equal(await store.setStream(key, source), "stored");
    };

    it("keeps chunks beside their entry, which nothing but streams sees", () =>
      withBackend(async ({ store, chunks }) => {
        await put(store, "key", 1_000_000);
        await put(store, "with {braces} and }", 600_000);
        await put(store, "small", 1000);
        assert.equal((await chunks()).length, 2, "a small one has none");
        const keys: string[] = [];
        for await (const key of store.keys!()) keys.push(key);
        assert.deepStrictEqual(keys.sort(), ["key", "small", "with {braces} and }"]);
        const values = await store.getMany!(["small", "key", "none"]);
        assert.deepStrictEqual(await values[1]?.value(), bytesOfSize(1_000_000));
        assert.equal(values[2], undefined);
        assert.equal(await store.clear(), 3);
      }));

    it("drops chunks with their entry, however that goes", () =>
      withBackend(async ({ store, chunks }) => {
        const ends: Record<string, () => Promise<unknown>> = {
          delete: () => store.delete("key"),
          deleteMany: () => store.deleteMany!(["key"]),
          clear: () => store.clear("k*"),
          set: () => store.set("key", entryOf("key", "other")),
          setMany: () => store.setMany!([entryOf("key", "other")]),
          setNewest: () => store.setNewest!([entryOf("key", "other", { version: 2 })]),
          deleteUpTo: () => store.deleteUpTo!(["key"], 2),
          over: () => store.set("key", entryOf("key", "other", { clock: systemClock, ttlMs: -1 })),
        };
        for (const [name, end] of Object.entries(ends)) {
          await store.delete("key");
          await put(store, "key", 700_000, name === "deleteUpTo" ? 2 : 1);
          assert.equal((await chunks()).length, 1, name);
          await end();
          assert.deepStrictEqual(await chunks(), [], name);
        }
      }));

    it("keeps the chunks of one write alone", () =>
      withBackend(async ({ store, chunks }) => {
        for (const version of [5, 6, 6]) await put(store, "key", 700_000 + version, version);
        assert.equal((await chunks()).length, 1);
        const { entry, frame } = framed("key", bytesOfSize(800_000), { version: 5 });
        const older = { ...entry, frame: bytesFrom([frame]) };
        assert.equal(await store.setStream("key", older), "outdated");
        assert.equal((await chunks()).length, 1);
        assert.deepStrictEqual(await (await store.get("key"))?.value(), bytesOfSize(700_006));
      }));

    it("leaves nothing of what is aborted or fails, at whatever chunk", () =>
      withBackend(async ({ store, chunks }) => {
        const { entry, frame } = framed("key", bytesOfSize(1_400_000), {});
        const parts = Array.from(
          { length: 6 },
          (_, at) => frame.slice(at * 262_144, (at + 1) * 262_144),
        );
        for (let count = 0; count <= parts.length; count++) {
          const failing = {
            ...entry,
            frame: bytesFrom(parts.slice(0, count), new Error("enough")),
          };
          await assert.rejects(store.setStream("key", failing), /^Error: enough$/);
          const controller = new AbortController();
          const reason = new Error("given up");
          let at = 0;
          const aborted = new ReadableStream<Uint8Array>({
            pull: (source) => {
              if (at < count) source.enqueue(parts[at++]!.slice());
              else controller.abort(reason);
            },
          }, { highWaterMark: 0 });
          const storing = store.setStream(
            "key",
            { ...entry, frame: aborted },
            { signal: controller.signal },
          );
          await assert.rejects(storing, (error) => error === reason);
          assert.deepStrictEqual(await chunks(), [], `${count} chunks`);
          assert.equal(await store.exists("key"), false);
        }
      }));

    it("has the server drop what no entry refers to", () =>
      withBackend(async ({ store, chunks }) => {
        const { entry, frame } = framed("key", bytesOfSize(900_000), {});
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const writer = writable.getWriter();
        const storing = store.setStream("key", { ...entry, frame: readable });
        await writer.write(frame.slice(0, 600_000));
        // By the time that this is taken, chunks have been sent.
        await writer.write(frame.slice(600_000));
        let found = await chunks();
        while (found.length === 0) found = await chunks();
        const holder = await holderOf(found[0]!, servers());
        const left = Number(await holder.command("PTTL", found[0]!));
        assert.ok(left > 0 && left <= 120_000, `${left} ms`);
        await holder.command("DEL", found[0]!);
        await writer.close();
        await assert.rejects(
          storing,
          (error) => isCacheError(error, "backend") && /is gone/.test(error.message),
        );
        assert.equal(await store.exists("key"), false, "nothing refers to what is gone");
        await put(store, "key", 900_000);
        const [kept] = await chunks();
        assert.equal(Number(await (await holderOf(kept!, servers())).command("PTTL", kept!)), -1);
      }));

    it("declines what is larger than it may be, as soon as that is known", () =>
      withBackend(async ({ store, chunks }) => {
        await put(store, "key", 100_000);
        const { entry, frame } = framed("key", bytesOfSize(1_200_000), { version: 2 });
        for (const frameLength of [frame.length, undefined]) {
          let pulled = 0;
          const endless = new ReadableStream<Uint8Array>({
            pull: (source) => {
              pulled++;
              source.enqueue(new Uint8Array(100_000));
            },
          }, { highWaterMark: 0 });
          const source = { ...entry, frame: endless, frameLength };
          assert.equal(await store.setStream("key", source), "declined");
          assert.ok(pulled <= 12, `${pulled} pieces read`);
          assert.deepStrictEqual(await chunks(), []);
          assert.equal(await store.get("key"), undefined, "nothing older is left");
        }
      }, { maxValueBytes: 1_000_000 }));

    it("tells a reader that its value was replaced or removed meanwhile, and leaves the new one", () =>
      withBackend(async ({ store, chunks }) => {
        const [cache, other] = [
          await CacheManager.open({ backends: [store], defaultTtl: "1h" }),
          await CacheManager.open({ backends: [store], defaultTtl: "1h" }),
        ];
        // A key each: what another process deletes is stamped ahead of its time.
        const readOn = async (key: string, change: () => Promise<unknown>): Promise<void> => {
          assert.equal(await cache.setStream(key, bytesFrom([bytesOfSize(2_000_000)])), true);
          const stream = (await cache.getStream(key))!;
          const reader = stream.getReader();
          await reader.read();
          await change();
          reader.releaseLock();
          await assert.rejects(lengthOf(stream), (error) => isCacheError(error, "replaced"));
          await setImmediate();
        };
        await readOn("a", () => other.setStream("a", bytesFrom([bytesOfSize(900_000)])));
        assert.equal(await lengthOf((await cache.getStream("a"))!), 900_000);
        await readOn("b", () => other.set("b", "small"));
        assert.equal(await cache.get("b"), "small");
        await readOn("c", () => other.delete("c"));
        assert.equal((await cache.getStats()).tiers[0]?.isDown, false);
        await other.delete("a");
        // What is gone while its entry is there is damage.
        assert.equal(await cache.setStream("d", bytesFrom([bytesOfSize(2_000_000)])), true);
        const damaged = (await cache.getStream("d"))!;
        const [lost] = await chunks();
        await (await holderOf(lost!, servers())).command("DEL", lost!);
        await assert.rejects(lengthOf(damaged), (error) => isCacheError(error, "corrupt"));
        await eventually("it is removed", async () => !await store.exists("d"));
      }));

    it("misses what the server has lost, and tells", () =>
      withBackend(async ({ store, chunks, reports }) => {
        await put(store, "key", 900_000);
        const [lost] = await chunks();
        await (await holderOf(lost!, servers())).command("DEL", lost!);
        assert.equal(await store.getStream("key"), undefined);
        assert.equal(await store.get("key"), undefined);
        assert.deepStrictEqual(reports.map(({ kind, key }) => [kind, key]), [
          ["corrupt", "key"],
          ["corrupt", "key"],
        ]);
      }));

    it("carries the manager's streams, and copies them into faster tiers", () =>
      withBackend(async ({ store, context, chunks }) => {
        const value = bytesOfSize(1_300_000);
        const writing = await CacheManager.open({ backends: [store], defaultTtl: "1h" });
        assert.equal(await writing.setStream("key", bytesFrom([value.slice()])), true);
        const [held] = await chunks();
        const left = Number(await (await holderOf(held!, servers())).command("PTTL", held!));
        assert.ok(left > 3_600_000 - 60_000 && left <= 3_600_000 + 60_000, `${left} ms`);
        const memory = new MemoryBackend({ maxBytes: "16MB" }, context);
        const reading = await CacheManager.open({ backends: [memory, store], defaultTtl: "1h" });
        const part = await reading.getStream("key", { offset: 300_000, length: 500_000 });
        assert.deepStrictEqual(await bytesOf(part), value.subarray(300_000, 800_000));
        assert.deepStrictEqual(await bytesOf(await reading.getStream("key")), value);
        await reading.flush();
        assert.deepStrictEqual(await reading.get("key"), value);
        assert.equal(await reading.delete("key"), true);
        assert.equal(await writing.getStream("key"), undefined);
        assert.deepStrictEqual(await chunks(), []);
      }));
  });
}

async function bytesOf(
  stream: ReadableStream<Uint8Array> | undefined,
): Promise<Uint8Array | undefined> {
  return await readFrame(stream && { frame: stream, frameLength: 0 });
}

async function holderOf(stored: string, servers: readonly RedisServer[]): Promise<RedisServer> {
  for (const server of servers) {
    const found = (await server.command("KEYS", "*") as unknown[]).map(String);
    if (found.includes(stored)) return server;
  }
  throw new Error(`Cannot find ${stored}`);
}
