/*
 * Requests that come by a Poisson process, as from users, to a cache of
 * memory, disk or Redis, and object store, the last two as far away as they are
 * in a data centre: their delays lie over a real disk tier and a real Redis,
 * and, for the object store, over another disk tier, since a real one on this
 * machine would take the processor that is being measured. A miss asks a model,
 * which takes 50 ms. Latency counts from when a request should have come.
 *
 *   --quick   short, shows only that it works
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { CacheBackendRegistry, CacheManager, systemClock } from "../mod.ts";
import type { BackendConfig } from "../mod.ts";
import { percentileOf } from "./demo/percentiles.ts";
import { printTable } from "./demo/table.ts";
import { DelayedBackend, PROFILES } from "./load/delayed_backend.ts";
import { runOpenLoop } from "./load/open_loop.ts";
import { Draws, Zipf } from "./load/random.ts";
import { type Scenario, SCENARIOS } from "./load/scenarios.ts";
import { hasRedis, type RedisServer, startRedis } from "../tests/servers/redis_server.ts";
import { note, record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";

const RATE = scaled(400, 1000);
const SECONDS = scaled(0.3, 3);
const KEYS = scaled(200, 2000);
/** How many ask for a new key at the same time in a stampede. */
const CROWD = 50;
const MODEL_MS = 50;
/** A tier that takes longer has failed. */
const DEADLINE = "250ms";
const DIMENSIONS = 384;
const EXPONENT = 0.9;
/** Room for a fifth of the vectors. */
const MEMORY: BackendConfig = { type: "memory", maxBytes: KEYS * DIMENSIONS * 4 / 5 };
const POPULAR = Array.from({ length: KEYS / 5 }, (_, rank) => `document:${rank}`);

const folder = mkdtempSync(join(tmpdir(), "strata-load-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

let redis: RedisServer | undefined;
if (hasRedis()) redis = await startRedis();
else note("redis-server is not on this machine: apt-get install redis-server");

const rows: string[][] = [];
for (const [at, scenario] of SCENARIOS.entries()) {
  if (scenario.hasRedis !== true || redis !== undefined) rows.push(await run(scenario, at));
}
await redis?.stop();
console.log(
  `${RATE} requests a second for ${SECONDS} s, ${KEYS} keys of Zipf ${EXPONENT}, deadline ${DEADLINE}`,
);
printTable(["scenario", "p50 ms", "p99", "p99.9", "model asked", "failed"], rows);

async function run(scenario: Scenario, at: number): Promise<string[]> {
  const draws = new Draws(at + 1);
  const middle: BackendConfig = scenario.hasRedis
    ? { type: "redis", redisUrl: redis!.url, prefix: `load-${at}` }
    : { type: "filesystem", basePath: join(folder, `disk-${at}`) };
  const objectsPath = join(folder, `objects-${at}`);
  if (scenario.filled !== "nothing") await fill(middle, objectsPath);
  const snapshot = { path: join(folder, `snapshot-${at}`), restore: "await" } as const;
  if (scenario.filled === "slow tiers and a snapshot") {
    // An earlier process, which has ended.
    await using earlier = await CacheManager.open({
      backends: [MEMORY, { type: "filesystem", basePath: objectsPath }],
      snapshot,
    });
    await earlier.getMany(POPULAR);
  }
  const objects = await delayed({ type: "filesystem", basePath: objectsPath }, "objects", draws);
  const near = await delayed(middle, scenario.hasRedis ? "redis" : "disk", draws);
  const troubled = scenario.hasRedis ? near : objects;
  await using cache = await CacheManager.open({
    backends: [
      MEMORY,
      { backend: near, deadline: DEADLINE },
      { backend: objects, deadline: DEADLINE },
    ],
    ...(scenario.filled === "slow tiers and a snapshot" ? { snapshot } : {}),
  });
  if (scenario.filled === "all tiers") await cache.getMany(POPULAR);
  let asked = 0;
  const model = async (): Promise<Float32Array> => {
    asked++;
    await setTimeout(MODEL_MS);
    return new Float32Array(DIMENSIONS).fill(1);
  };
  const zipf = new Zipf(KEYS, EXPONENT);
  let requests = 0;
  const keyOf = (): string =>
    scenario.isStampede ? `new:${Math.floor(requests++ / CROWD)}` : `document:${zipf.draw(draws)}`;
  const { latencies, failures } = await runOpenLoop({
    rate: RATE,
    seconds: SECONDS,
    request: () => cache.getOrSet(keyOf(), model),
    onTime: (share) => {
      const isMiddle = share > 1 / 3 && share < 2 / 3;
      troubled.mood = isMiddle ? scenario.trouble ?? "well" : "well";
    },
  }, draws);
  const of = {
    group: `load, ${RATE} requests a second`,
    subject: scenario.name,
    samples: latencies.length,
  };
  const [p50, p99, p999] = [0.5, 0.99, 0.999].map((share) => percentileOf(latencies, share));
  record(
    { ...of, metric: "p50", unit: "ms", value: p50! },
    { ...of, metric: "p99", unit: "ms", value: p99! },
    { ...of, metric: "p99.9", unit: "ms", value: p999! },
    { ...of, metric: "model asked", unit: "calls", value: asked },
    { ...of, metric: "failed", unit: "calls", value: failures, goal: { of: "value", atMost: 0 } },
  );
  if (scenario.isStampede) {
    record({
      group: "stampede, calls of the model a key",
      subject: "Strata",
      metric: "calls",
      unit: "calls",
      value: asked / Math.ceil(requests / CROWD),
      goal: { of: "value", atMost: 1 },
    });
  }
  const cells = [p50!, p99!, p999!].map((ms) => ms.toFixed(2));
  return [scenario.name, ...cells, String(asked), String(failures)];
}

/** Puts the vectors where the scenario has them: all in the object store, the more popular half in the middle tier. */
async function fill(middle: BackendConfig, objectsPath: string): Promise<void> {
  const value = new Float32Array(DIMENSIONS).fill(1);
  const entries = Array.from({ length: KEYS }, (_, rank) => ({ key: `document:${rank}`, value }));
  for (
    const [backend, held] of [
      [middle, entries.slice(0, KEYS / 2)],
      [{ type: "filesystem", basePath: objectsPath }, entries],
    ] as const
  ) {
    await using cache = await CacheManager.open({ backends: [backend] });
    await cache.setMany(held);
  }
}

async function delayed(
  config: BackendConfig,
  profile: keyof typeof PROFILES,
  draws: Draws,
): Promise<DelayedBackend> {
  const context = { clock: systemClock, report: () => {} };
  const backend = await CacheBackendRegistry.create(config, context);
  return new DelayedBackend(backend, PROFILES[profile], draws);
}
