import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createShardedBackend, type ShardedBackend } from "../../../backends/sharded.ts";
import type {
  Invalidation,
  InvalidationBus,
  InvalidationListener,
} from "../../../src/coordination/invalidation_bus.ts";
import { CacheError, isCacheError } from "../../../src/errors.ts";
import { AWKWARD_KEYS } from "../../backend_suite/keys.ts";
import { lockSuite } from "../../coordination/lock_suite.ts";
import { Recorder } from "../../coordination/recorder.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { MapBackend } from "../../fakes/map_backend.ts";
import { eventually } from "../../servers/eventually.ts";
import { type RedisServer, startRedis } from "../../servers/redis_server.ts";

const servers: RedisServer[] = [];
const opened: ShardedBackend[] = [];
const providers: ShardedBackend[] = [];

before(async () => {
  servers.push(...await Promise.all([startRedis(), startRedis(), startRedis()]));
  for (let at = 0; at < 4; at++) providers.push(await overRedis("locks"));
});
after(async () => {
  await Promise.all(opened.map((backend) => backend.close()));
  await Promise.all(servers.map((server) => server.stop()));
});

async function overRedis(prefix: string): Promise<ShardedBackend> {
  const backend = await createShardedBackend({
    shards: servers.map(({ url }, at) => ({
      id: `redis ${at}`,
      type: "redis",
      redisUrl: url,
      prefix,
    })),
  });
  opened.push(backend);
  return backend;
}

let provided = 0;
lockSuite(
  "ShardedLocks over Redis",
  () => providers[provided++ % providers.length]!.createLockProvider!(),
);

/** A bus whose connection is made and lost by hand. */
class ManualBus implements InvalidationBus {
  readonly name: string;
  readonly published: Invalidation[] = [];
  readonly listeners = new Set<InvalidationListener>();
  failure: Error | undefined;
  isClosed = false;

  constructor(name: string) {
    this.name = name;
  }

  publish(invalidations: readonly Invalidation[]): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.published.push(...invalidations);
    return Promise.resolve();
  }

  subscribe(listener: InvalidationListener): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  tell(what: "connected" | "lost"): void {
    for (const listener of this.listeners) {
      if (what === "connected") listener.connected();
      else listener.disconnected(new CacheError("unavailable", `${this.name} is lost`));
    }
  }
}

async function overManualBuses(): Promise<{ buses: ManualBus[]; bus: InvalidationBus }> {
  const buses = ["a", "b", "c"].map((name) => new ManualBus(name));
  const clock = new FakeClock();
  const sharded = await createShardedBackend({
    shards: buses.map((bus) =>
      Object.assign(new MapBackend(clock, bus.name), { createInvalidationBus: () => bus })
    ),
  }, { clock, report: () => {} });
  assert.equal(sharded.createLockProvider, undefined);
  const bus = sharded.createInvalidationBus?.();
  assert.ok(bus !== undefined);
  return { buses, bus };
}

describe("ShardedBus", () => {
  it("publish() sends what concerns one key over one bus, in order, and all of it once", async () => {
    const { buses, bus } = await overManualBuses();
    const sent = Array.from(
      { length: 90 },
      (_, at): Invalidation => ({ kind: "key", key: `key:${at % 30}`, version: at }),
    );
    sent.push(
      { kind: "tag", tag: "tag", version: 1 },
      { kind: "clear", pattern: "user:*", version: 2 },
      { kind: "clear", pattern: undefined, version: 3 },
    );
    await bus.publish(sent);
    assert.equal(buses.flatMap(({ published }) => published).length, sent.length);
    for (const { published } of buses) {
      assert.ok(published.length > 0);
      const places = published.map((invalidation) => sent.indexOf(invalidation));
      assert.deepStrictEqual(places, places.toSorted((left, right) => left - right));
    }
    for (let at = 0; at < 30; at++) {
      const of = buses.filter(({ published }) =>
        published.some((each) => each.kind === "key" && each.key === `key:${at}`)
      );
      assert.equal(of.length, 1);
    }
  });

  it("publish() rejects when a bus fails, and the others have sent theirs", async () => {
    const { buses, bus } = await overManualBuses();
    const failure = new CacheError("unavailable", "Cannot publish to Redis");
    buses[1]!.failure = failure;
    const sent = Array.from(
      { length: 30 },
      (_, at): Invalidation => ({ kind: "key", key: `key:${at}`, version: 1 }),
    );
    await assert.rejects(
      bus.publish(sent),
      (error) => isCacheError(error, "unavailable") && error.cause === failure,
    );
    assert.ok(buses[0]!.published.length > 0 && buses[2]!.published.length > 0);
    await assert.rejects(bus.publish(sent, { signal: AbortSignal.abort(failure) }), failure);
  });

  it("subscribe() is connected when all buses are, and lost as soon as one is", async () => {
    const { buses, bus } = await overManualBuses();
    const [a, b, c] = buses as [ManualBus, ManualBus, ManualBus];
    const recorder = new Recorder();
    const stop = bus.subscribe(recorder);
    a.tell("connected");
    b.tell("connected");
    assert.equal(recorder.connections, 0);
    c.tell("connected");
    assert.equal(recorder.connections, 1);
    b.tell("lost");
    a.tell("lost");
    assert.deepStrictEqual(recorder.losses.map(({ message }) => message), ["b is lost"]);
    b.tell("connected");
    assert.equal(recorder.connections, 1);
    a.tell("connected");
    assert.equal(recorder.connections, 2);
    stop();
    assert.ok(buses.every(({ listeners }) => listeners.size === 0));
    await bus.close();
    assert.ok(buses.every(({ isClosed }) => isClosed));
  });

  it("brings to others over Redis what concerns any shard, and tells of one that dies", async () => {
    const [sender, receiver] = [await overRedis("bus"), await overRedis("bus")];
    const [from, to] = [sender.createInvalidationBus!(), receiver.createInvalidationBus!()];
    const [recorder, own] = [new Recorder(), new Recorder()];
    to.subscribe(recorder);
    from.subscribe(own);
    await recorder.connection(1);
    await own.connection(1);
    await from.publish(AWKWARD_KEYS.map((key) => ({ kind: "key", key, version: 7 })));
    for (const key of AWKWARD_KEYS) await recorder.key(key);
    assert.equal(recorder.heard.length, AWKWARD_KEYS.length);
    assert.deepStrictEqual(own.heard, []);
    await servers[1]!.kill();
    await eventually("the loss is told", () => recorder.losses.length === 1);
    await servers[1]!.restart();
    await recorder.connection(2);
    await eventually(
      "it is published again",
      () =>
        from.publish(AWKWARD_KEYS.map((key) => ({ kind: "key", key, version: 8 })))
          .then(() => true, () => false),
    );
    await eventually(
      "all is heard again",
      () =>
        AWKWARD_KEYS.every((key) =>
          recorder.heard.some((each) =>
            each.kind === "key" && each.key === key && each.version === 8
          )
        ),
    );
    await Promise.all([from.close(), to.close()]);
  });
});
