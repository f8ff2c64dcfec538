import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { S3Backend } from "../../backends/s3.ts";
import { UpstashBackend } from "../../backends/upstash.ts";
import { isCacheError } from "../../src/errors.ts";
import { CacheManager } from "../../src/manager/cache_manager.ts";
import type { CoordinationConfig } from "../../src/manager/coordination_options.ts";
import type { CacheEvents } from "../../src/observability/events.ts";
import { watchEvents } from "../fakes/watch_events.ts";
import { eventually } from "../servers/eventually.ts";
import { type RedisServer, startRedis } from "../servers/redis_server.ts";

const SECRET = "very-secret";
const EVENTS = ["tierError", "tierDown", "busError", "busDown", "lockError"] as const;

let server: RedisServer;
before(async () => {
  server = await startRedis();
});
after(() => server.stop());

async function open(
  prefix: string,
  redis: Record<string, unknown> = {},
  coordination: CoordinationConfig = {},
): Promise<CacheManager> {
  return await CacheManager.open({
    backends: [
      { type: "memory", maxSizeMb: 8 },
      { type: "redis", redisUrl: server.url, prefix, deadline: "300ms", ...redis },
    ],
    coordination: { recoveryPeriod: "500ms", ...coordination },
  });
}

async function isUp(cache: CacheManager): Promise<boolean> {
  const { coordination, tiers } = await cache.getStats();
  return coordination!.isConnected && !tiers[1]!.isDown;
}

describe("CacheManager over a Redis that fails", () => {
  it("that is frozen: misses within its deadline, and a thousand calls cost no more of them", async () => {
    const [a, b] = [await open("frozen"), await open("frozen")];
    await eventually("both hear", async () => await isUp(a) && await isUp(b));
    await a.set("held", 1);
    assert.equal(await a.get("held"), 1);
    await eventually("the other has it", async () => await b.get("held") === 1);
    await a.flush();
    const down = watchEvents(a, "tierDown");
    server.freeze();
    assert.equal(await a.get("held"), 1, "memory has it");
    for (let at = 0; at < 1000; at++) assert.equal(await a.get(`missing ${at}`), undefined);
    assert.equal(await a.set("held", 2), false);
    assert.equal(await a.getOrSet("loaded", () => "loaded"), "loaded");
    assert.equal(down.length, 1);
    const { tiers } = await a.getStats();
    assert.ok(tiers[1]!.timeouts <= 4, `${tiers[1]!.timeouts} deadlines`);
    server.thaw();
    await eventually("others have what was set", async () => await b.get("held") === 2);
    await eventually("and what was loaded", async () => await b.get("loaded") === "loaded");
    await Promise.all([a.close(), b.close()]);
  });

  it("that is killed and comes back empty: nothing is thrown, and what was set is brought", async () => {
    const [a, b] = [await open("killed"), await open("killed")];
    await a.set("before", 1);
    await eventually("both hear", async () => await isUp(a) && await isUp(b));
    await server.kill();
    assert.equal(await a.set("meanwhile", 2), false);
    await a.delete("before");
    assert.equal(await a.getOrSet("loaded", () => 3), 3);
    await a.clear("nothing*");
    await a.deleteByTag("none");
    assert.deepEqual(await b.getMany(["meanwhile", "missing"]), [undefined, undefined]);
    await server.restart();
    await eventually("the other has it", async () => await b.get("meanwhile") === 2);
    await eventually("and what was loaded", async () => await b.get("loaded") === 3);
    assert.equal(await b.get("before"), undefined);
    await eventually("nothing waits", async () => (await a.getStats()).coordination!.queued === 0);
    await Promise.all([a.close(), b.close()]);
  });

  it("that holds something else under a key: a miss, told, and the next value takes its place", async () => {
    const cache = await open("foreign");
    const corrupt = watchEvents(cache, "corrupt");
    await server.command("RPUSH", "foreign::list", "x");
    await server.command("SET", "foreign::text", "no frame");
    assert.deepEqual(await cache.getMany(["list", "text"]), [undefined, undefined]);
    assert.equal(await cache.get("list"), undefined);
    assert.ok(corrupt.length > 0);
    assert.ok(corrupt.every(({ error }) => isCacheError(error, "corrupt")));
    assert.equal(await cache.set("list", 1), true);
    await cache.close();
  });

  it("that refuses the password: misses, by name, and no secret anywhere", async () => {
    const secured = await startRedis({ password: `${SECRET}-pass` });
    const host = secured.url.slice("redis://".length);
    const cache = await open("x", { redisUrl: `redis://user:${SECRET}-wrong@${host}` });
    const told: CacheEvents[(typeof EVENTS)[number]][] = [];
    for (const event of EVENTS) cache.on(event, (details) => told.push(details));
    assert.equal(await cache.get("key"), undefined);
    assert.equal(await cache.set("key", 1), false);
    assert.equal(await cache.getOrSet("other", () => 2), 2);
    assert.ok(told.length > 0);
    assert.ok(
      told.some(({ error }) =>
        isCacheError(error, "unavailable") &&
        /refuses the user name or password/.test(error.message)
      ),
    );
    const causes = told.map(({ error }) => String((error as Error).stack) + show(error));
    assertNoSecret(causes.join(), show(told), show(cache), show(await cache.getStats()));
    await cache.close();
    await secured.stop();
  });
});

describe("Backends with credentials", () => {
  it("do not show them", async () => {
    const backends = [
      new UpstashBackend({ url: "https://example.upstash.io", token: `${SECRET}-token` }),
      new S3Backend({
        bucket: "bucket",
        transport: "fetch",
        awsConfig: {
          region: "us-west-2",
          credentials: { accessKeyId: "id", secretAccessKey: `${SECRET}-key` },
        },
      }),
    ];
    for (const backend of backends) {
      assertNoSecret(show(backend), JSON.stringify(backend), String(backend));
      await backend.close();
    }
  });
});

function show(value: unknown): string {
  return inspect(value, { depth: Infinity, showHidden: true });
}

function assertNoSecret(...texts: readonly string[]): void {
  for (const text of texts) assert.ok(!text.includes(SECRET), text.slice(0, 2000));
}
