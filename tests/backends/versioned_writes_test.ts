import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, beforeEach, describe, it } from "node:test";
import { RedisBackend } from "../../backends/redis.ts";
import { UpstashBackend } from "../../backends/upstash.ts";
import type { CacheBackend } from "../../src/types.ts";
import { valueOf } from "../backend_suite/harness.ts";
import { entryOf } from "../fakes/entries.ts";
import { eventually } from "../servers/eventually.ts";
import { type RedisServer, startRedis } from "../servers/redis_server.ts";
import { startUpstashBridge, type UpstashBridge } from "../servers/upstash_bridge.ts";

const MARK_MS = 300_000;
const LIMIT = 70_000;

let server: RedisServer;
let bridge: UpstashBridge;

before(async () => {
  server = await startRedis();
  bridge = await startUpstashBridge({ redisPort: server.port });
});
beforeEach(() => server.command("FLUSHALL"));
after(async () => {
  await bridge.stop();
  await server.stop();
});

interface Kind {
  readonly open: () => RedisBackend | UpstashBackend;
  /** What the server holds for some bytes. */
  readonly record: (bytes: Uint8Array) => string | Uint8Array;
}

const kinds: Record<string, Kind> = {
  RedisBackend: {
    open: () => new RedisBackend({ redisUrl: server.url, prefix: "v", maxValueBytes: LIMIT }),
    record: (bytes) => bytes,
  },
  UpstashBackend: {
    open: () => {
      const { url, token } = bridge;
      return new UpstashBackend({ url, token, prefix: "v", maxRequestBytes: LIMIT });
    },
    record: (bytes) => Buffer.from(bytes).toString("base64"),
  },
};

for (const [name, { open, record }] of Object.entries(kinds)) {
  const withBackend = async (
    body: (backend: RedisBackend | UpstashBackend) => Promise<void>,
  ): Promise<void> => {
    const backend = open();
    try {
      await body(backend);
    } finally {
      await backend.close();
    }
  };

  describe(`versioned writes of ${name}`, () => {
    it("overwrite what is no frame, whatever it looks like", () =>
      withBackend(async (backend) => {
        const whole = await entryOf("key", "other", { version: 9 }).encode();
        const magicless = Uint8Array.from(whole);
        magicless[0]! ^= 1;
        const newer = Uint8Array.from(whole);
        newer[4] = 3;
        const negative = Uint8Array.from(whole);
        negative[47]! |= 0x80;
        const infinite = Uint8Array.from(whole);
        infinite.set([0, 0, 0, 0, 0, 0, 0xf0, 0x7f], 40);
        const records = [
          "",
          "x",
          "STRA",
          "no base64, and quite a bit longer than the header of any frame could ever be, is it not?",
          record(whole.subarray(0, 47)),
          ...[magicless, newer, negative, infinite].map(record),
        ];
        for (const [at, text] of records.entries()) {
          await server.command("SET", "v::key", text);
          const entry = entryOf("key", at, { version: 5 });
          assert.deepStrictEqual(await backend.setNewest([entry]), ["stored"], `record ${at}`);
          assert.equal(await valueOf(backend, "key"), at);
          await server.command("SET", "v::key", text);
          assert.equal(await backend.deleteUpTo(["key"], 5), 0);
          assert.deepStrictEqual(await backend.setNewest([entry]), ["outdated"]);
        }
      }));

    it("overwrite what is no string", () =>
      withBackend(async (backend) => {
        await server.command("RPUSH", "v::key", "a", "b");
        assert.deepStrictEqual(await backend.setNewest([entryOf("key", 1)]), ["stored"]);
        assert.equal(await valueOf(backend, "key"), 1);
        await server.command("DEL", "v::key");
        await server.command("HSET", "v::key", "a", "b");
        assert.equal(await backend.deleteUpTo(["key"], 1), 0);
        assert.equal(await backend.get("key"), undefined);
      }));

    it("set the expiry along with the value, and take an older one away", () =>
      withBackend(async (backend) => {
        const ttl = async (): Promise<number> => Number(await server.command("PTTL", "v::key"));
        const brief = { createdAt: Date.now(), version: 1 };
        const { createdAt, version } = brief;
        await backend.setNewest([
          entryOf("key", 1, { version }).withTimes(createdAt + 60_000, createdAt + 90_000),
        ]);
        const left = await ttl();
        assert.ok(left > 60_000 && left <= 90_000, `${left} ms`);
        await backend.setNewest([entryOf("key", 2, { version })]);
        assert.equal(await ttl(), -1);
        await backend.deleteUpTo(["key"], version);
        const mark = await ttl();
        assert.ok(mark > MARK_MS - 60_000 && mark <= MARK_MS, `${mark} ms`);
      }));

    it("take older versions again when the mark of a delete has expired", () =>
      withBackend(async (backend) => {
        await backend.deleteUpTo(["key"], 9);
        const older = entryOf("key", 1, { version: 8 });
        assert.deepStrictEqual(await backend.setNewest([older]), ["outdated"]);
        await server.command("PEXPIRE", "v::key", "1");
        await eventually(
          "the mark is gone",
          async () => await server.command("EXISTS", "v::key") === 0,
        );
        assert.deepStrictEqual(await backend.setNewest([older]), ["stored"]);
      }));

    it("refuse what is too large, and leave no older value behind it", () =>
      withBackend(async (backend) => {
        await backend.setNewest([entryOf("key", "small", { version: 2 })]);
        const large = (version: number) => entryOf("key", new Uint8Array(LIMIT), { version });
        assert.deepStrictEqual(await backend.setNewest([large(1)]), ["outdated"]);
        assert.equal(await valueOf(backend, "key"), "small");
        assert.deepStrictEqual(
          await backend.setNewest([large(3), entryOf("other", 1)]),
          ["declined", "stored"],
        );
        assert.equal(await backend.get("key"), undefined);
        assert.deepStrictEqual(
          await backend.setNewest([entryOf("key", "late", { version: 2 })]),
          ["outdated"],
        );
      }));

    it("send the script again when the server has forgotten it", () =>
      withBackend(async (backend) => {
        for (const round of [1, 2, 3]) {
          await server.command("SCRIPT", "FLUSH");
          const entries = ["a", "b", "c"].map((key) => entryOf(key, round, { version: round }));
          assert.deepStrictEqual(await backend.setNewest(entries), ["stored", "stored", "stored"]);
          assert.equal(await valueOf(backend, "b"), round);
        }
      }));
  });
}

describe("RedisBackend with tracking", () => {
  it("is not told of its own versioned writes", async () => {
    const config = { redisUrl: server.url, prefix: "v", invalidation: "tracking" };
    const own: CacheBackend & RedisBackend = new RedisBackend(config);
    const other = new RedisBackend(config);
    const bus = own.createInvalidationBus();
    try {
      const heard: string[] = [];
      let isConnected = false;
      bus.subscribe({
        connected: () => void (isConnected = true),
        disconnected: () => {},
        invalidated: (all) => {
          for (const each of all) heard.push(each.kind === "key" ? each.key : each.kind);
        },
      });
      await eventually("the bus is connected", () => isConnected);
      await own.setNewest([entryOf("own", 1), entryOf("own too", 1)]);
      await own.deleteUpTo(["own"], 2);
      await other.setNewest([entryOf("other's", 1)]);
      await eventually("the other's write is heard", () => heard.includes("other's"));
      assert.deepStrictEqual(heard, ["other's"]);
    } finally {
      await bus.close();
      await own.close();
      await other.close();
    }
  });
});
