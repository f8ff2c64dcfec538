import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { S3Backend } from "../../../backends/s3.ts";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import { eventually } from "../../servers/eventually.ts";
import { type RedisServer, startRedis } from "../../servers/redis_server.ts";
import { type S3Server, s3Server } from "../../servers/s3_server.ts";
import { scratchFolder } from "../../servers/scratch.ts";
import { runtimeArguments } from "../filesystem/log/helpers.ts";

const CHILD = fileURLToPath(new URL("./stream_child.ts", import.meta.url));

let s3: S3Server;
let redis: RedisServer;
const { path, remove } = scratchFolder("stream-processes");
before(async () => {
  [s3, redis] = await Promise.all([s3Server(), startRedis()]);
});
after(async () => {
  remove();
  await Promise.all([s3.stop(), redis.stop()]);
});

/** A tier that processes share. */
interface Shared {
  readonly config: () => Record<string, unknown>;
  /** Bytes of a value, which takes several requests or writes. */
  readonly bytes: number;
}

const MIB = 1024 * 1024;
const SHARED: Record<string, Shared> = {
  "S3 by fetch": {
    config: () => ({
      ...{ type: "s3", bucket: s3.bucket, awsConfig: s3.awsConfig },
      ...{ transport: "fetch", prefix: "processes" },
    }),
    bytes: 6 * MIB,
  },
  Redis: {
    config: () => ({ type: "redis", redisUrl: redis.url, prefix: "processes" }),
    bytes: MIB,
  },
  "the file system": {
    config: () => ({
      ...{ type: "filesystem", basePath: join(path, "shared"), maxBytes: "64MB" },
      refreshInterval: "5ms",
    }),
    bytes: MIB,
  },
};

/** A child that streams, and its lines. */
function start(
  task: string,
  { config, bytes }: Shared,
): { child: ChildProcess; line: () => Promise<string>; ended: Promise<unknown> } {
  const child = spawn(
    process.execPath,
    [...runtimeArguments(), CHILD, task, JSON.stringify(config()), "key", String(bytes)],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return { child, ended, line: async () => String((await lines.next()).value) };
}

/** Reads a value, which must be of one byte. @returns that byte. */
async function readByte(cache: CacheManager, bytes: number): Promise<number | undefined> {
  const stream = await cache.getStream("key");
  if (stream === undefined) return undefined;
  let length = 0;
  let byte: number | undefined;
  for await (const piece of stream) {
    byte ??= piece[0];
    assert.ok(piece.every((each) => each === byte), "a value is of one write");
    length += piece.length;
  }
  assert.equal(length, bytes);
  return byte;
}

for (const [name, shared] of Object.entries(SHARED)) {
  describe(`streams of several processes over ${name}`, () => {
    it("readers see one or the other, whole", async () => {
      await using cache = await CacheManager.open({ backends: [shared.config() as never] });
      const writers = [start("write", shared), start("write", shared)];
      try {
        await Promise.all(writers.map(({ line }) => line()));
        // What another process wrote is seen within the refresh interval, from then on without a gap.
        await eventually("the first one", () => cache.exists("key"));
        for (let read = 0; read < 12; read++) {
          try {
            assert.ok(await readByte(cache, shared.bytes) !== undefined, "one is always there");
          } catch (error) {
            // It was replaced while it was read, and is not mixed with what came.
            if (error instanceof assert.AssertionError) throw error;
          }
        }
        for (const { child } of writers) child.stdin!.write("stop\n");
        await Promise.all(writers.map(({ ended }) => ended));
        assert.ok(await readByte(cache, shared.bytes) !== undefined, "the last one is there");
        await cache.delete("key");
      } finally {
        for (const { child } of writers) child.kill("SIGKILL");
      }
    });

    it("one that is killed in the midst leaves nothing that can be seen", async () => {
      const { child, line, ended } = start("hang", shared);
      try {
        assert.equal(await line(), "hangs");
        child.kill("SIGKILL");
        await ended;
        await using cache = await CacheManager.open({ backends: [shared.config() as never] });
        assert.equal(await cache.getStream("key"), undefined);
        assert.equal(await cache.exists("key"), false);
        assert.equal(await cache.clear(), 0);
        await cache.set("other", 1);
        assert.equal(await cache.get("other"), 1);
      } finally {
        child.kill("SIGKILL");
      }
    });
  });
}

describe("what a process that was killed has left", () => {
  for (const transport of ["sdk", "fetch"] as const) {
    it(`is an open upload, which purgeExpired() calls off when it is old (${transport})`, async () => {
      const { bucket, awsConfig } = s3;
      const config = { type: "s3", bucket, awsConfig, transport, prefix: `purge-${transport}` };
      const sibling = { ...config, prefix: `purge-${transport}2` };
      for (const each of [config, sibling]) {
        const { child, line, ended } = start("hang", { config: () => each, bytes: 6 * MIB });
        assert.equal(await line(), "hangs");
        await eventually("an upload", async () => await openUploads(`${each.prefix}/`) === 1);
        child.kill("SIGKILL");
        await ended;
      }
      const { type: _, ...own } = config;
      const backend = new S3Backend(own);
      assert.equal(await backend.purgeExpired(), 0);
      assert.equal(await openUploads(`${config.prefix}/`), 1, "a young one may be somebody's");
      // The store tells its time in seconds.
      await eventually("no upload", async () => {
        await backend.purgeExpired({ maxUploadAge: "1ms" });
        return await openUploads(`${config.prefix}/`) === 0;
      });
      assert.equal(await openUploads(`${sibling.prefix}/`), 1, "a sibling's stays");
      await backend.close();
    });
  }
});

async function openUploads(prefix: string): Promise<number> {
  const response = await s3.request("GET", `/${s3.bucket}?uploads&prefix=${prefix}`);
  return [...(await response.text()).matchAll(/<Upload>/g)].length;
}
