import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { RedisBackend } from "../../../backends/redis.ts";
import { systemClock } from "../../../src/clock.ts";
import { isCacheError } from "../../../src/errors.ts";
import type { BackendReport } from "../../../src/types.ts";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { eventually } from "../../servers/eventually.ts";
import {
  type RedisServer,
  startRedis,
  startRedisCluster,
  startSentinel,
} from "../../servers/redis_server.ts";

let server: RedisServer;

before(async () => {
  server = await startRedis();
});
after(() => server.stop());

async function withBackend(
  config: Record<string, unknown>,
  body: (backend: RedisBackend, reports: BackendReport[]) => Promise<void>,
): Promise<void> {
  const reports: BackendReport[] = [];
  const report = (made: BackendReport): void => void reports.push(made);
  const backend = new RedisBackend(
    { redisUrl: server.url, prefix: "faults", ...config },
    { clock: systemClock, report },
    () => 0,
  );
  try {
    await body(backend, reports);
  } finally {
    await backend.close();
  }
}

const isUnavailable = (error: unknown): boolean => isCacheError(error, "unavailable");

describe("RedisBackend", () => {
  it("fails at once while a killed server is away, and works when it is back, empty", () =>
    withBackend({}, async (backend, reports) => {
      await backend.set("key", entryOf("key", "old"));
      await server.kill();
      await eventually("the loss is noticed", () => reports.length > 0);
      for (let turn = 0; turn < 100; turn++) {
        await assert.rejects(backend.get("key"), isUnavailable);
        await assert.rejects(backend.set("key", entryOf("key", "new")), isUnavailable);
      }
      assert.equal(reports.length, 1, "the outage is reported once");
      await server.restart();
      await eventually(
        "it is connected again",
        async () => await backend.set("a", entryOf("a", 1)),
      );
      assert.equal(await backend.get("key"), undefined, "the data is gone");
      assert.equal(await valueOf(backend, "a"), 1);
    }));

  it("rejects what was under way when the server is killed", () =>
    withBackend({}, async (backend) => {
      await backend.set("key", entryOf("key", "old"));
      server.freeze();
      const under = [
        backend.get("key"),
        backend.set("key", entryOf("key", "new")),
        backend.getMany(["key", "b"]),
        backend.clear(),
      ];
      const outcomes = Promise.allSettled(under);
      await server.kill();
      for (const outcome of await outcomes) {
        assert.equal(outcome.status, "rejected");
        assert.ok(isUnavailable(outcome.reason), String(outcome.reason));
      }
      await server.restart();
      await eventually("it is connected again", async () => await backend.get("key") === undefined);
    }));

  it("gives up a frozen server's answer with the caller's signal, and reads on when it thaws", () =>
    withBackend({}, async (backend) => {
      await backend.set("key", entryOf("key", "value"));
      server.freeze();
      for (const turn of [1, 2, 3]) {
        const controller = new AbortController();
        const reason = new Error(`deadline ${turn}`);
        const reads = [
          backend.get("key", { signal: controller.signal }),
          backend.getMany(["key"], { signal: controller.signal }),
          backend.clear("none:*", { signal: controller.signal }),
        ];
        controller.abort(reason);
        for (const read of reads) await assert.rejects(read, reason);
      }
      server.thaw();
      assert.equal(await valueOf(backend, "key"), "value");
    }));

  it("refuses more than may wait for a frozen server", () =>
    withBackend({ maxPending: 50 }, async (backend) => {
      await backend.set("key", entryOf("key", "value"));
      server.freeze();
      const reads = Array.from({ length: 200 }, () => backend.get("key"));
      const refused = reads.slice(50);
      for (const read of refused) {
        await assert.rejects(
          read,
          (error) => isUnavailable(error) && /too many commands wait/.test(String(error)),
        );
      }
      server.thaw();
      for (const read of reads.slice(0, 50)) assert.equal((await read)?.key, "key");
    }));

  it("does not wait for a frozen server to greet", async () => {
    server.freeze();
    await withBackend({ connectTimeout: "200ms" }, async (backend) => {
      await assert.rejects(
        backend.get("key"),
        (error) => isUnavailable(error) && /did not answer in time/.test(String(error)),
      );
      server.thaw();
      await eventually("it is connected", async () => await backend.set("a", entryOf("a", 1)));
    });
  });

  it("gives the first operations that wait for the connection their signal", async () => {
    server.freeze();
    await withBackend({}, async (backend) => {
      const controller = new AbortController();
      const reason = new Error("no longer");
      const read = backend.get("key", { signal: controller.signal });
      const write = backend.set("key", entryOf("key", "never"), { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(read, reason);
      await assert.rejects(write, reason);
      server.thaw();
      assert.notEqual(await valueOf(backend, "key"), "never");
    });
  });

  it("never touches what belongs to sibling prefixes", async () => {
    const prefixes = ["app", "app:users", "app2", "ap", "App", "a*", "{app}", "app:?"];
    const backends = prefixes.map((prefix) => new RedisBackend({ redisUrl: server.url, prefix }));
    const keys = ["users:1", "1", ":", ":x", "::1", "users::1", "", "!bus", "!lock:{=a}"];
    for (const [at, backend] of backends.entries()) {
      for (const key of keys) await backend.set(key, entryOf(key, `${prefixes[at]}|${key}`));
    }
    await server.command("SET", "app", "foreign");
    await server.command("SET", "app:users:1", "foreign");
    for (const [at, backend] of backends.entries()) {
      for (const key of keys) assert.equal(await valueOf(backend, key), `${prefixes[at]}|${key}`);
    }
    for (const [at, backend] of backends.entries()) {
      assert.equal(await backend.clear("u*"), 2);
      assert.equal(await backend.clear(), keys.length - 2, prefixes[at]);
      for (const other of backends.slice(at + 1)) {
        for (const key of keys) assert.equal((await other.get(key))?.key, key);
      }
    }
    assert.equal(await server.command("GET", "app"), "foreign");
    assert.equal(await server.command("GET", "app:users:1"), "foreign");
    await server.command("FLUSHALL");
    await Promise.all(backends.map((backend) => backend.close()));
  });

  it("sets the server's own expiry along with the value", () =>
    withBackend({}, async (backend) => {
      const now = { now: () => Date.now(), recent: () => Date.now(), schedule: () => () => {} };
      await backend.set(
        "short",
        entryOf("short", 1, { clock: now, ttlMs: 60_000, staleMs: 30_000 }),
      );
      await backend.set("forever", entryOf("forever", 1, { clock: now }));
      await backend.setMany([entryOf("many", 1, { clock: now, ttlMs: 50_000 })]);
      const left = async (key: string): Promise<number> =>
        Number(await server.command("PTTL", `faults::${key}`));
      const short = await left("short");
      assert.ok(short > 60_000 && short <= 90_000, `${short} ms are left`);
      const many = await left("many");
      assert.ok(many > 20_000 && many <= 50_000, `${many} ms are left`);
      assert.equal(await left("forever"), -1);
    }));

  it("declines what is larger than its limit, and leaves nothing older behind", () =>
    withBackend({ maxValueBytes: 1000 }, async (backend) => {
      const large = new Uint8Array(1000);
      await backend.set("key", entryOf("key", "small"));
      assert.equal(await backend.set("key", entryOf("key", large)), false);
      assert.equal(await backend.get("key"), undefined);
      await backend.set("key", entryOf("key", "small"));
      assert.deepStrictEqual(
        await backend.setMany([entryOf("key", large), entryOf("other", 1)]),
        [false, true],
      );
      assert.equal(await backend.get("key"), undefined);
      assert.equal(await server.command("EXISTS", "faults::key"), 0);
    }));

  it("asks once for many keys", () =>
    withBackend({}, async (backend) => {
      const keys = Array.from({ length: 100 }, (_, at) => `key:${at}`);
      await backend.setMany(keys.map((key) => entryOf(key, key)));
      await server.command("CONFIG", "RESETSTAT");
      assert.equal(
        (await backend.getMany(keys)).filter((entry) => entry !== undefined).length,
        100,
      );
      const stats = String(await server.command("INFO", "commandstats"));
      assert.match(stats, /cmdstat_mget:calls=1,/);
      assert.doesNotMatch(stats, /cmdstat_(?:get|keys|flushdb|flushall):/);
    }));
});

describe("RedisBackend in a cluster", () => {
  it("goes on when a slot is moved, and serves the other slots when a node hangs", async () => {
    const nodes = await startRedisCluster();
    const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`).join();
    try {
      await withBackend({ redisUrl: `redis+cluster://${hosts}` }, async (backend) => {
        const keys = Array.from({ length: 60 }, (_, at) => `key:${at}`);
        await backend.setMany(keys.map((key) => entryOf(key, key)));
        const [from, to] = nodes as [RedisServer, RedisServer];
        // Half of what the first node has goes to the second.
        const ids = await Promise.all([from, to].map((node) => node.command("CLUSTER", "MYID")));
        const slots = new Set<number>();
        for (const key of keys) {
          const slot = Number(await from.command("CLUSTER", "KEYSLOT", `faults::${key}`));
          if (slot < 5462) slots.add(slot);
        }
        assert.ok(slots.size > 5);
        for (const slot of slots) {
          await to.command("CLUSTER", "SETSLOT", String(slot), "IMPORTING", String(ids[0]));
          await from.command("CLUSTER", "SETSLOT", String(slot), "MIGRATING", String(ids[1]));
          const held = await from.command("CLUSTER", "GETKEYSINSLOT", String(slot), "100");
          for (const key of held as Uint8Array[]) {
            const args = ["127.0.0.1", String(to.port), key, "0", "5000"];
            await from.command("MIGRATE", ...args);
          }
        }
        // The server asks to ASK.
        for (const entry of await backend.getMany(keys)) assert.ok(entry !== undefined);
        for (const slot of slots) {
          for (const node of nodes) {
            await node.command("CLUSTER", "SETSLOT", String(slot), "NODE", String(ids[1]));
          }
        }
        // The server says MOVED.
        for (const entry of await backend.getMany(keys)) assert.ok(entry !== undefined);
        for (const key of keys) assert.equal(await backend.delete(key), true);
        const listed: string[] = [];
        for await (const key of backend.keys()) listed.push(key);
        assert.deepStrictEqual(listed, []);

        await backend.setMany(keys.map((key) => entryOf(key, key)));
        nodes[2]?.freeze();
        const controller = new AbortController();
        const reads = keys.map((key) => backend.get(key, { signal: controller.signal }));
        let answered = 0;
        for (const read of reads) read.then(() => answered++, () => {});
        await eventually("the other nodes answer", () => answered >= 20);
        controller.abort(new Error("deadline"));
        const outcomes = await Promise.allSettled(reads);
        assert.ok(outcomes.some(({ status }) => status === "rejected"));
        nodes[2]?.thaw();
        await eventually(
          "all is well again",
          async () => (await backend.getMany(keys)).every((entry) => entry !== undefined),
        );
      });
    } finally {
      await Promise.all(nodes.map((node) => node.stop()));
    }
  });
});

describe("RedisBackend with sentinels", () => {
  it("follows the primary to another server", async () => {
    const primary = await startRedis();
    const replica = await startRedis();
    await replica.command("REPLICAOF", "127.0.0.1", String(primary.port));
    const sentinel = await startSentinel(primary);
    try {
      await eventually(
        "the replica is known",
        async () =>
          String(await sentinel.command("SENTINEL", "REPLICAS", "primary")).length > 0 &&
          /num-slaves,1,|slaves=1/.test(String(await sentinel.command("INFO", "sentinel"))),
      );
      const redisUrl = `redis+sentinel://127.0.0.1:${sentinel.port}/primary`;
      await withBackend({ redisUrl }, async (backend) => {
        await backend.set("key", entryOf("key", "value"));
        await eventually(
          "the value is at the replica",
          async () => await replica.command("EXISTS", "faults::key") === 1,
        );
        await primary.kill();
        await eventually(
          "the replica has become the primary",
          async () => await backend.set("other", entryOf("other", 1)),
        );
        assert.equal(await valueOf(backend, "key"), "value");
        assert.equal(await replica.command("EXISTS", "faults::other"), 1);
      });
    } finally {
      await Promise.all([sentinel, replica, primary].map((each) => each.stop()));
    }
  });
});
