import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createClient, createCluster } from "redis";
import { RedisBackend } from "../../backends/redis.ts";
import { systemClock } from "../../src/clock.ts";
import { isCacheError } from "../../src/errors.ts";
import type { BackendReport } from "../../src/types.ts";
import { entryOf } from "../fakes/entries.ts";
import { eventually } from "../servers/eventually.ts";
import { type RedisServer, startRedis, startRedisCluster } from "../servers/redis_server.ts";
import { busSuite } from "./bus_suite.ts";
import { lockSuite } from "./lock_suite.ts";
import { Recorder } from "./recorder.ts";

let server: RedisServer;
let nodes: RedisServer[];
const forms: Record<string, Record<string, unknown>> = {};
const backends: RedisBackend[] = [];
const clients: { destroy(): void }[] = [];
let opened = 0;

before(async () => {
  server = await startRedis();
  nodes = await startRedisCluster();
  const client = createClient({ url: server.url });
  const cluster = createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) });
  for (const given of [client, cluster]) {
    given.on("error", () => {});
    await given.connect();
    clients.push(given);
  }
  Object.assign(forms, {
    "pub/sub": { redisUrl: server.url },
    "pub/sub in a cluster": {
      redisUrl: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join()}`,
    },
    "tracking": { redisUrl: server.url, invalidation: "tracking" },
    "a client": { client },
    "a client of a cluster": { client: cluster },
  });
});
after(async () => {
  await Promise.all(backends.map((backend) => backend.close()));
  for (const client of clients) client.destroy();
  await Promise.all([server, ...nodes].map((each) => each.stop()));
});

function open(
  form: string,
  prefix: string,
  report: (report: BackendReport) => void = () => {},
): RedisBackend {
  const backend = new RedisBackend({ ...forms[form], prefix }, { clock: systemClock, report });
  backends.push(backend);
  return backend;
}

for (
  const form of [
    "pub/sub",
    "pub/sub in a cluster",
    "tracking",
    "a client",
    "a client of a cluster",
  ]
) {
  busSuite(`RedisBus over ${form}`, () => {
    const prefix = `bus:${++opened}`;
    return () => open(form, prefix).createInvalidationBus();
  });
}
for (const form of ["pub/sub", "pub/sub in a cluster", "a client of a cluster"]) {
  lockSuite(
    `RedisLockProvider over ${form}`,
    () => open(form, `locks:${form}`).createLockProvider(),
  );
}

describe("RedisBus", () => {
  for (const form of ["pub/sub", "tracking"]) {
    it(`tells of a connection that is lost, and of the next, over ${form}`, async () => {
      const prefix = `lost:${form}`;
      const reports: BackendReport[] = [];
      const bus = open(form, prefix, (report) => reports.push(report)).createInvalidationBus();
      const others = open(form, prefix).createInvalidationBus();
      const recorder = new Recorder();
      bus.subscribe(recorder);
      await recorder.connection(1);
      await server.kill();
      await eventually("the loss is told", () => recorder.losses.length === 1);
      assert.ok(isCacheError(recorder.losses[0], "unavailable"));
      await assert.rejects(
        others.publish([{ kind: "key", key: "key", version: 1 }]),
        (error) => isCacheError(error, "unavailable"),
      );
      await server.restart();
      await recorder.connection(2);
      await eventually(
        "the others are back",
        () => others.publish([{ kind: "key", key: "key", version: 1 }]).then(() => true),
      );
      await recorder.key("key");
      assert.equal(recorder.losses.length, 1);
      assert.equal(reports.filter(({ kind }) => kind === "error").length, 1);
      await bus.close();
      await others.close();
    });

    it(`notices a server that hangs, over ${form}`, async () => {
      const bus = open(form, `hang:${form}`).createInvalidationBus();
      const recorder = new Recorder();
      bus.subscribe(recorder);
      await recorder.connection(1);
      server.freeze();
      await eventually("the loss is told", () => recorder.losses.length === 1);
      server.thaw();
      await recorder.connection(2);
      await bus.close();
    });
  }

  it("connects when the server comes up later", async () => {
    await server.kill();
    const bus = open("pub/sub", "later").createInvalidationBus();
    const recorder = new Recorder();
    bus.subscribe(recorder);
    await server.restart();
    await recorder.connection(1);
    assert.deepStrictEqual(recorder.losses, [], "what never was cannot be lost");
    await bus.close();
  });

  it("ignores messages that are none, and tells of them", async () => {
    const reports: BackendReport[] = [];
    const bus = open("pub/sub", "hostile", (report) => reports.push(report))
      .createInvalidationBus();
    const recorder = new Recorder();
    bus.subscribe(recorder);
    await recorder.connection(1);
    const hostile = ["", "{", "null", "[]", '{"v":2,"s":"x","i":[]}', '{"v":1,"s":"","i":[]}'];
    for (const message of hostile) await server.command("PUBLISH", "hostile!bus", message);
    await server.command("PUBLISH", "hostile!bus", new Uint8Array([0xff, 0, 0xfe]));
    await server.command("PUBLISH", "hostile!bus", '{"v":1,"s":"x","i":[["k","key",1]]}');
    await recorder.key("key");
    assert.deepStrictEqual(recorder.heard, [{ kind: "key", key: "key", version: 1 }]);
    assert.deepStrictEqual(
      reports.map(({ kind }) => kind),
      Array.from({ length: hostile.length + 1 }, () => "corrupt"),
    );
    await bus.close();
  });

  it("with tracking tells what others change in any way, and not what this backend does", async () => {
    const backend = open("tracking", "tracked");
    const bus = backend.createInvalidationBus();
    const recorder = new Recorder();
    bus.subscribe(recorder);
    await recorder.connection(1);
    const other = open("pub/sub", "tracked");
    const keys = ["a", "b\u0000c", "ü", "lone \ud800"];
    for (const key of keys) {
      await backend.set(key, entryOf(key, "own"));
      await other.set(key, entryOf(key, "other"));
      await recorder.key(key);
    }
    // Under load the pushes come between replies of other types.
    await Promise.all([
      ...Array.from({ length: 200 }, (_, at) => backend.get(keys[at % 4] as string)),
      other.setMany(Array.from({ length: 50 }, (_, at) => entryOf(`load:${at}`, at))),
    ]);
    await eventually("all 50 are told", () => recorder.heard.length === keys.length + 50);
    await server.command("DEL", "tracked::a");
    await server.command("SET", "other-prefix::a", "x");
    await server.command("FLUSHALL");
    await eventually(
      "the flush is told",
      () => recorder.heard.some(({ kind }) => kind === "clear"),
    );
    // What changed in one turn of the server comes in an order of its own.
    const told = recorder.heard.map((heard) => heard.kind === "key" ? heard.key : heard.kind);
    const load = Array.from({ length: 50 }, (_, at) => `load:${at}`);
    assert.deepStrictEqual(told.slice(0, 4), keys);
    assert.deepStrictEqual(told.slice(4, 54).sort(), load.sort());
    assert.deepStrictEqual(told.slice(54), ["a", "clear"]);
    await bus.close();
    assert.equal(await backend.set("a", entryOf("a", 1)), true, "the backend goes on");
  });
});

describe("RedisLockProvider", () => {
  it("gives a greater fence also after the server lost its data", async () => {
    const provider = open("pub/sub", "fence").createLockProvider();
    const first = await provider.acquire("name", { leaseMs: 60_000 });
    await server.kill();
    await server.restart();
    const second = await eventually(
      "the server is back",
      () => provider.acquire("name", { leaseMs: 60_000 }),
    );
    assert.ok(first !== undefined && second.fence > first.fence);
    assert.equal(await first.renew(60_000), false);
  });

  it("gives a greater fence also when the last one is ahead of the server's clock", async () => {
    const provider = open("pub/sub", "ahead").createLockProvider();
    await server.command("SET", "ahead!fence:{=name}", "4000000000000000");
    const lock = await provider.acquire("name", { leaseMs: 60_000 });
    assert.equal(lock?.fence, 4_000_000_000_000_001);
  });

  it("says that it cannot tell when the server is away", async () => {
    const provider = open("pub/sub", "away").createLockProvider();
    const lock = await provider.acquire("name", { leaseMs: 60_000 });
    await server.kill();
    const isUnavailable = (error: unknown): boolean => isCacheError(error, "unavailable");
    await assert.rejects(provider.acquire("other", { leaseMs: 1 }), isUnavailable);
    await assert.rejects(async () => await lock?.renew(1), isUnavailable);
    await assert.rejects(async () => await lock?.release(), isUnavailable);
    await server.restart();
  });
});
