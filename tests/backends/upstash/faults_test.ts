import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { inspect } from "node:util";
import { Redis } from "@upstash/redis";
import { UpstashBackend } from "../../../backends/upstash.ts";
import { systemClock } from "../../../src/clock.ts";
import { type CacheErrorCode, isCacheError } from "../../../src/errors.ts";
import type { BackendReport } from "../../../src/types.ts";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { eventually } from "../../servers/eventually.ts";
import { type RedisServer, startRedis } from "../../servers/redis_server.ts";
import { startUpstashBridge, type UpstashBridge } from "../../servers/upstash_bridge.ts";

const SECRET = "very-secret";

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

function open(config: Record<string, unknown> = {}): {
  backend: UpstashBackend;
  reports: BackendReport[];
} {
  const reports: BackendReport[] = [];
  const report = (made: BackendReport): void => void reports.push(made);
  const { url, token } = bridge;
  const address = "client" in config ? {} : { url, token };
  const backend = new UpstashBackend({ ...address, prefix: "faults", ...config }, {
    clock: systemClock,
    report,
  });
  return { backend, reports };
}

async function assertFails(
  action: Promise<unknown>,
  code: CacheErrorCode,
  reason: string,
): Promise<void> {
  const error = await action.then(() => undefined, (caught: unknown) => caught);
  const text = inspect(error, { depth: 20, showHidden: true });
  assert.ok(isCacheError(error, code), `a CacheError of code ${code}: ${text}`);
  assert.ok(error.message.includes(reason), `"${reason}" is in "${error.message}"`);
  assert.ok(!text.includes(SECRET), text);
  assert.ok(!text.includes(bridge.token), text);
}

describe("UpstashBackend", () => {
  it("sends what is asked for in one turn in one request", async () => {
    const { backend } = open();
    const before = bridge.requests;
    const keys = Array.from({ length: 100 }, (_, at) => `key:${at}`);
    await Promise.all(keys.map((key) => backend.set(key, entryOf(key, key))));
    assert.equal(bridge.requests, before + 1);
    await backend.setMany(keys.map((key) => entryOf(key, `${key}!`)));
    assert.equal(bridge.requests, before + 2);
    const read = await Promise.all(keys.map((key) => valueOf(backend, key)));
    assert.deepStrictEqual(read, keys.map((key) => `${key}!`));
    assert.equal(bridge.requests, before + 3);
    assert.equal((await backend.getMany(keys)).filter((entry) => entry !== undefined).length, 100);
    assert.equal(bridge.requests, before + 4);
    assert.equal(await backend.deleteMany(keys), 100);
    assert.equal(bridge.requests, before + 5);
    await backend.close();
  });

  it("splits what does not fit into one request, and declines what fits into none", async () => {
    const { backend } = open();
    const value = (length: number): Uint8Array => new Uint8Array(length).fill(7);
    const entries = Array.from({ length: 10 }, (_, at) => entryOf(`key:${at}`, value(300_000)));
    const before = bridge.requests;
    assert.deepStrictEqual(await backend.setMany(entries), entries.map(() => true));
    assert.equal(bridge.requests, before + 5);
    await backend.set("key", entryOf("key", "small"));
    assert.equal(await backend.set("key", entryOf("key", value(740_000))), true);
    assert.deepStrictEqual(await valueOf(backend, "key"), value(740_000));
    // As base64 a third larger.
    assert.equal(await backend.set("key", entryOf("key", value(760_000))), false);
    assert.equal(await backend.get("key"), undefined, "nothing older is left");
    await backend.close();
  });

  it("stores frames as base64 with the server's own expiry", async () => {
    const { backend } = open();
    const entry = entryOf("key", new Float32Array([1, 2, 3]), {
      clock: systemClock,
      ttlMs: 60_000,
    });
    await backend.set("key", entry);
    const stored = String(await server.command("GET", "faults::key"));
    assert.deepStrictEqual(
      Uint8Array.from(atob(stored), (character) => character.charCodeAt(0)),
      await entry.encode(),
    );
    const left = Number(await server.command("PTTL", "faults::key"));
    assert.ok(left > 30_000 && left <= 60_000, `${left} ms are left`);
    await backend.close();
  });

  it("works with a client that was given, with all its defaults", async () => {
    const client = new Redis({ url: bridge.url, token: bridge.token });
    const { backend, reports } = open({ client, prefix: "1" });
    const keys = ["1", "null", '"x"', "ü", "lone \ud800", ""];
    for (const key of keys) await backend.set(key, entryOf(key, key));
    for (const key of keys) assert.equal(await valueOf(backend, key), key);
    const listed: string[] = [];
    for await (const key of backend.keys()) listed.push(key);
    assert.deepStrictEqual(listed.sort(), [...keys].sort());
    assert.equal(await backend.delete("1"), true);
    assert.equal(await backend.clear(), keys.length - 1);
    for (const text of ["1", "null", "[1]", "{}", '"x"', "text", ""]) {
      await server.command("SET", "1::foreign", text);
      assert.equal(await backend.get("foreign"), undefined);
      assert.equal(await backend.exists("foreign"), false);
      assert.equal(await backend.delete("foreign"), false);
    }
    assert.ok(reports.every(({ kind }) => kind === "corrupt"));
    await backend.close();
  });

  it("takes what is no frame for a miss, and tells", async () => {
    for (const value of ["", "text", "U1RSQQ==", new Uint8Array(300).fill(0xff)]) {
      const { backend, reports } = open();
      await server.command("SET", "faults::key", value);
      assert.equal(await backend.get("key"), undefined);
      assert.equal(reports.length, 1);
      assert.equal(reports[0]?.kind, "corrupt");
      await backend.set("other", entryOf("other", "good"));
      const [foreign, good] = await backend.getMany(["key", "other"]);
      assert.equal(foreign, undefined);
      assert.equal(await good?.value(), "good");
      assert.deepStrictEqual(await backend.getStats(), { corruptions: 2 });
      await backend.close();
    }
    const { backend, reports } = open();
    await server.command("RPUSH", "faults::list", "a");
    assert.equal(await backend.get("list"), undefined);
    assert.equal(reports.length, 1);
    assert.equal(await backend.exists("list"), false);
    assert.equal(await backend.delete("list"), false);
    await backend.close();
  });

  it("names what is wrong, without token, keys and values", async () => {
    const { backend: refused } = open({ token: SECRET });
    await assertFails(refused.get("key"), "unavailable", "refuses the user name or password");
    await assertFails(
      refused.set("key", entryOf("key", SECRET)),
      "unavailable",
      "refuses the user name or password",
    );
    const { backend: nobody } = open({ url: "http://127.0.0.1:1" });
    await assertFails(nobody.get("key"), "unavailable", "cannot be reached");
    const { backend: small } = open({ maxRequestBytes: "10MB" });
    await assertFails(
      small.set("key", entryOf("key", SECRET.repeat(200_000))),
      "backend",
      "larger than the server allows: lower 'maxRequestBytes'",
    );
    await server.command("CONFIG", "SET", "maxmemory", "1");
    await assertFails(small.set("key", entryOf("key", SECRET)), "backend", "out of memory");
    await server.command("CONFIG", "SET", "maxmemory", "0");
    bridge.answer = { status: 502, body: `<html>${SECRET}</html>` };
    await assertFails(small.get("key"), "unavailable", "no Upstash REST API");
    bridge.answer = { status: 200, body: `<html>${SECRET}</html>` };
    await assertFails(small.get("key"), "unavailable", "no Upstash REST API");
    for (const body of ["{}", "[]", "null", '[{"result":7}]', '[{"result":{"a":1}}]']) {
      bridge.answer = { status: 200, body };
      const outcome = await small.get("key").then((entry) => entry, (error) => error);
      assert.ok(outcome === undefined || isCacheError(outcome), inspect(outcome));
    }
    bridge.answer = undefined;
    await small.set("key", entryOf("key", "all is well"));
    assert.equal(await valueOf(small, "key"), "all is well");
  });

  it("gives up a hanging server's answer with the caller's signal, and keeps writes in order", async () => {
    const { backend } = open();
    await backend.set("key", entryOf("key", "old"));
    bridge.isHanging = true;
    const controller = new AbortController();
    const reason = new Error("deadline");
    const write = backend.set("key", entryOf("key", "lost"), { signal: controller.signal });
    const read = backend.get("key", { signal: controller.signal });
    await eventually("it is sent", () => bridge.requests > 0);
    controller.abort(reason);
    await assert.rejects(write, reason);
    await assert.rejects(read, reason);
    const next = backend.set("key", entryOf("key", "next"));
    bridge.resume();
    assert.equal(await next, true);
    assert.equal(await valueOf(backend, "key"), "next");
    await backend.close();
  });

  it("gives up a request that takes too long", async () => {
    const { backend } = open({ requestTimeout: "100ms" });
    bridge.isHanging = true;
    await assertFails(backend.get("key"), "unavailable", "no answer within 100 ms");
    bridge.resume();
    await eventually("it is answered again", async () => await backend.set("a", entryOf("a", 1)));
    await backend.close();
  });

  it("refuses more than may wait, and has few requests under way", async () => {
    const { backend } = open({ maxRequests: 2, maxPending: 10 });
    bridge.isHanging = true;
    const before = bridge.requests;
    const reads: Promise<unknown>[] = [];
    for (let turn = 0; turn < 30; turn++) {
      const read = backend.get(`key:${turn}`);
      reads.push(read.catch((error) => error));
      await Promise.resolve();
      await Promise.resolve();
    }
    await eventually("two requests are under way", () => bridge.requests === before + 2);
    bridge.resume();
    const outcomes = await Promise.all(reads);
    const refused = outcomes.filter((outcome) => isCacheError(outcome, "unavailable"));
    assert.ok(refused.length > 0 && refused.length < 30, `${refused.length} are refused`);
    assert.match((refused[0] as Error).message, /too many commands wait/);
    assert.ok(outcomes.every((outcome) => outcome === undefined || isCacheError(outcome)));
    await backend.close();
  });

  const wrong: readonly [config: Record<string, unknown>, message: RegExp][] = [
    [{ url: undefined }, /'url' must be the REST URL/],
    [{ url: `https://u:${SECRET}@h` }, /'url' must be .*not shown/],
    [{ token: "" }, /'token' must be .*not shown/],
    [{ token: `${SECRET}\n` }, /'token' must be .*not shown/],
    [{ client: 7 }, /'client' must be a client of the "@upstash\/redis" package/],
    [{ maxRequestBytes: 1000 }, /'maxRequestBytes' must be at least 65536/],
    [{ prefix: '"x' }, /'prefix' must not begin like JSON/],
    [{ tokne: "x" }, /'tokne' is not known: did you mean "token"\?/],
  ];
  for (const [config, message] of wrong) {
    it(`refuses ${Object.keys(config)[0]}: ${message.source}`, () => {
      const whole = { url: "https://name.upstash.io", token: "x", ...config };
      assert.throws(() => new UpstashBackend(whole as never), (error) => {
        assert.ok(error instanceof TypeError || error instanceof RangeError);
        assert.match(error.message, message);
        assert.ok(!error.message.includes(SECRET));
        return true;
      });
    });
  }
});
