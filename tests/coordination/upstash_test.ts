import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Redis } from "@upstash/redis";
import { UpstashBackend } from "../../backends/upstash.ts";
import { systemClock } from "../../src/clock.ts";
import { isCacheError } from "../../src/errors.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { BackendReport } from "../../src/types.ts";
import { eventually } from "../servers/eventually.ts";
import { type RedisServer, startRedis } from "../servers/redis_server.ts";
import { startUpstashBridge, type UpstashBridge } from "../servers/upstash_bridge.ts";
import { busSuite } from "./bus_suite.ts";
import { lockSuite } from "./lock_suite.ts";
import { Recorder } from "./recorder.ts";

let server: RedisServer;
let bridge: UpstashBridge;
let opened = 0;

before(async () => {
  server = await startRedis();
  bridge = await startUpstashBridge({ redisPort: server.port });
});
after(async () => {
  await bridge.stop();
  await server.stop();
});

function open(
  prefix: string,
  report: (report: BackendReport) => void = () => {},
): UpstashBackend {
  const { url, token } = bridge;
  return new UpstashBackend({ url, token, prefix }, { clock: systemClock, report });
}

busSuite("UpstashBus", () => {
  const prefix = `bus,${++opened}/ü%`;
  return () => open(prefix).createInvalidationBus();
});

lockSuite("Locks of UpstashBackend", () => open("locks").createLockProvider());

lockSuite("Locks of UpstashBackend over a client that was given", () => {
  const client = new Redis({ url: bridge.url, token: bridge.token });
  return new UpstashBackend({ client, prefix: "given" }).createLockProvider();
});

describe("UpstashBus", () => {
  it("tells of a stream that ended, and of the next", async () => {
    const reports: BackendReport[] = [];
    const bus = open("lost", (report) => reports.push(report)).createInvalidationBus();
    const recorder = new Recorder();
    bus.subscribe(recorder);
    for (const turn of [1, 2, 3]) {
      await recorder.connection(turn);
      bridge.dropStreams();
      await eventually("the loss is told", () => recorder.losses.length === turn);
      assert.ok(isCacheError(recorder.losses[turn - 1], "unavailable"));
    }
    await recorder.connection(4);
    const other = open("lost").createInvalidationBus();
    await other.publish([{ kind: "key", key: "key", version: 1 }]);
    await recorder.key("key");
    assert.equal(reports.length, 3);
    await bus.close();
    await other.close();
    await eventually("the stream is closed", () => bridge.streams === 0);
  });

  it("tells of a stream that ended because the database is gone", async () => {
    const bus = open("gone").createInvalidationBus();
    const recorder = new Recorder();
    bus.subscribe(recorder);
    await recorder.connection(1);
    await server.kill();
    await eventually("the loss is told", () => recorder.losses.length === 1);
    await server.restart();
    await recorder.connection(2);
    await bus.close();
  });

  it("tells once, without the token, that the token is refused", async () => {
    const reports: BackendReport[] = [];
    const backend = new UpstashBackend({ url: bridge.url, token: "very-secret", prefix: "x" }, {
      clock: systemClock,
      report: (report) => reports.push(report),
    });
    const bus = backend.createInvalidationBus();
    bus.subscribe(new Recorder());
    await eventually("it is told", () => reports.length > 0);
    const [report] = reports;
    assert.ok(isCacheError(report?.error, "unavailable"));
    assert.match(report.error.message, /refuses the user name or password/);
    assert.doesNotMatch(report.error.stack ?? "", /very-secret/);
    await bus.close();
  });

  it("notices a stream that is silent, by the messages that it sends to itself", async () => {
    const timers: (() => void)[] = [];
    const clock = {
      now: () => Date.now(),
      recent: () => Date.now(),
      schedule: (callback: () => void, delay: number) => {
        if (delay === 30_000) timers.push(callback);
        return delay === 30_000 ? () => {} : systemClock.schedule(callback, delay);
      },
    };
    const { url, token } = bridge;
    const bus = new UpstashBackend({ url, token, prefix: "silent" }, { clock, report: () => {} })
      .createInvalidationBus();
    const recorder = new Recorder();
    bus.subscribe(recorder);
    await recorder.connection(1);
    assert.equal(timers.length, 1);
    await eventually(
      "the heartbeat has come round",
      async () => String(await server.command("INFO", "commandstats")).includes("cmdstat_publish"),
    );
    const other = open("silent").createInvalidationBus();
    await other.publish([{ kind: "key", key: "sign of life", version: 1 }]);
    await recorder.key("sign of life");
    bridge.isHanging = true;
    timers.shift()?.();
    assert.deepStrictEqual(recorder.losses, [], "something was heard since the last beat");
    timers.shift()?.();
    await eventually("the loss is told", () => recorder.losses.length === 1);
    bridge.resume();
    await recorder.connection(2);
    await bus.close();
    await other.close();
  });

  it("needs an address besides a client", () => {
    const client = new Redis({ url: bridge.url, token: bridge.token });
    assert.throws(
      () => new UpstashBackend({ client }).createInvalidationBus(),
      /needs 'url' and 'token' besides 'client'/,
    );
  });

  it("a cache over a client alone says what to do, and opens without a bus", async () => {
    const { url, token } = bridge;
    const client = new Redis({ url, token });
    const open = (more: Record<string, unknown>, coordination = {}): Promise<CacheManager> =>
      CacheManager.open({
        backends: [{ type: "memory" }, { type: "upstash", client, prefix: "client", ...more }],
        coordination,
      });
    await assert.rejects(open({}), {
      name: "TypeError",
      message:
        /tier "upstash" cannot carry invalidations: .*'url' and 'token' besides 'client': give it that, or 'coordination' a 'bus' of your own, or false for none$/,
    });
    for (const cache of [await open({}, { bus: false }), await open({ url, token })]) {
      assert.equal(await cache.set("key", 1), true);
      await cache.close();
    }
  });
});
