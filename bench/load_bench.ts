/*
 * Requests that come by a Poisson process, as from users, to a cache of
 * memory, disk and object store, the last two as far away as they are in a
 * data centre. A miss asks a model, which takes 50 ms. Latency counts from when
 * a request should have come.
 *
 *   --quick   short, shows only that it works
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { CacheBackendRegistry, CacheManager, systemClock } from "../mod.ts";
import type { BackendConfig, CacheBackend } from "../mod.ts";
import { percentileOf } from "./demo/percentiles.ts";
import { printTable } from "./demo/table.ts";
import { DelayedBackend, PROFILES } from "./load/delayed_backend.ts";
import { runOpenLoop } from "./load/open_loop.ts";
import { Draws, Zipf } from "./load/random.ts";
import { type Scenario, SCENARIOS } from "./load/scenarios.ts";
import { record } from "./suite/record.ts";
import { scaled } from "./suite/scale.ts";

const RATE = scaled(400, 1000);
const SECONDS = scaled(0.3, 4);
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

const rows: string[][] = [];
for (const [at, scenario] of SCENARIOS.entries()) rows.push(await run(scenario, at));
console.log(
  `${RATE} requests a second for ${SECONDS} s, ${KEYS} keys of Zipf ${EXPONENT}, deadline ${DEADLINE}`,
);
printTable(["scenario", "p50 ms", "p99", "p99.9", "model asked", "failed"], rows);

async function run(scenario: Scenario, at: number): Promise<string[]> {
  const draws = new Draws(at + 1);
  const diskPath = join(folder, `disk-${at}`);
  const objectsPath = join(folder, `objects-${at}`);
  if (scenario.filled !== "nothing") await fill(diskPath, objectsPath);
  const snapshot = { path: join(folder, `snapshot-${at}`), restore: "await" } as const;
  if (scenario.filled === "slow tiers and a snapshot") {
    // An earlier process, which has ended.
    await using earlier = await CacheManager.open({
      backends: [MEMORY, { type: "filesystem", basePath: objectsPath }],
      snapshot,
    });
    await earlier.getMany(POPULAR);
  }
  const objects = new DelayedBackend(await openDisk(objectsPath), PROFILES.objects, draws);
  await using cache = await CacheManager.open({
    backends: [
      MEMORY,
      new DelayedBackend(await openDisk(diskPath), PROFILES.disk, draws),
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
      objects.mood = isMiddle ? scenario.trouble ?? "well" : "well";
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

/** Puts the vectors where the scenario has them: all in the object store, the more popular half on disk. */
async function fill(diskPath: string, objectsPath: string): Promise<void> {
  const value = new Float32Array(DIMENSIONS).fill(1);
  const entries = Array.from({ length: KEYS }, (_, rank) => ({ key: `document:${rank}`, value }));
  for (
    const [basePath, held] of [
      [diskPath, entries.slice(0, KEYS / 2)],
      [objectsPath, entries],
    ] as const
  ) {
    await using cache = await CacheManager.open({ backends: [{ type: "filesystem", basePath }] });
    await cache.setMany(held);
  }
}

async function openDisk(basePath: string): Promise<CacheBackend> {
  const context = { clock: systemClock, report: () => {} };
  return await CacheBackendRegistry.create({ type: "filesystem", basePath }, context);
}
