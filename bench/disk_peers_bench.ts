/*
 * The disk tier beside its floor and beside other stores: µs an operation with
 * values of 6,144 bytes, and what it takes to open and to evict.
 *
 * All take turns in every round, in an order that changes, because a machine
 * has moods; the median of the rounds counts. The slowest take part in one round
 * only. Where others keep the machine busy, CPU time says more than the clock.
 *
 * Eviction is timed by itself, not as a difference: a full log makes room for a
 * whole segment at once, as for a large file, and puts, which are not timed,
 * fill it again.
 *
 *   --quick        200 values, one round: shows only that it works
 *   --entries N    values (10,000)
 *   --rounds N     rounds (3)
 *   --only TEXT    only peers whose name contains the text, and the floor; may be repeated
 *   --folder PATH  where the files are made, in a folder of their own (the system's for such)
 *   --json FILE    writes all figures to a file
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { medianOf } from "./demo/percentiles.ts";
import { thisRuntime } from "./demo/spawned.ts";
import { printTable } from "./demo/table.ts";
import { type EngineFigures, type Eviction, measureEngine } from "./disk_peers/engine.ts";
import { compareWithGoals } from "./disk_peers/goals.ts";
import { makeItems, shuffled } from "./disk_peers/items.ts";
import { type Figures, measurePeer, type Operation, OPERATIONS } from "./disk_peers/measure.ts";
import type { Peer } from "./disk_peers/peer.ts";
import { PEERS } from "./disk_peers/peers.ts";
import { medianTiming, type Timing } from "./disk_peers/timing.ts";
import { note, record } from "./suite/record.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    entries: { type: "string" },
    rounds: { type: "string" },
    only: { type: "string", multiple: true, default: [] },
    folder: { type: "string", default: tmpdir() },
    json: { type: "string" },
  },
});

const ENTRIES = Number(values.entries ?? (values.quick ? 200 : 10_000));
const ROUNDS = Number(values.rounds ?? (values.quick ? 1 : 3));
const MIDDLE_ROUND = Math.floor(ROUNDS / 2);
const WARM_UP_ENTRIES = values.quick ? 20 : 200;
const [FLOOR, , , OURS] = PEERS.map(({ name }) => name) as [string, string, string, string];

const GROUPS = { set: "set", get: "get", get64: "get 64 at once", delete: "delete" };

const directory = mkdtempSync(join(values.folder, "strata-bench-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
// Where a signal ends the process at once, no "exit" is told.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = join(directory, "round");
  mkdirSync(folder);
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const load = (): string => loadavg().map((value) => value.toFixed(1)).join(" ");
const isWanted = ({ name }: Peer): boolean =>
  name === FLOOR || values.only.length === 0 || values.only.some((text) => name.includes(text));

const items = makeItems(ENTRIES);
const work = { items, asked: shuffled(items) };
const warmUp = { items: items.slice(0, WARM_UP_ENTRIES), asked: items.slice(0, WARM_UP_ENTRIES) };

const loadBefore = load();
console.log(
  `${thisRuntime().title}, ${availableParallelism()} cores, load ${loadBefore}: ` +
    `${ENTRIES} values of ${items[0]!.bytes.length} bytes, ${ROUNDS} rounds`,
);
const versions = new Map<string, string>();
const peers: Peer[] = [];
for (const peer of PEERS.filter(isWanted)) {
  try {
    versions.set(peer.name, await peer.version());
    await inFolder((folder) => measurePeer(peer, folder, warmUp));
    peers.push(peer);
  } catch (error) {
    note(`${peer.name} does not run here: ${String(error).split("\n")[0]}`);
  }
}

const rounds = new Map<string, Figures[]>(peers.map(({ name }) => [name, []]));
const engineRounds: EngineFigures[] = [];
for (let round = 0; round < ROUNDS; round++) {
  // An odd step through a list that gets no other: each peer gets other neighbours.
  const order = peers.map((_, at) => peers[(at + round * 3) % peers.length]!);
  for (const peer of order) {
    if (peer.isSlow && round !== MIDDLE_ROUND) continue;
    rounds.get(peer.name)!.push(await inFolder((folder) => measurePeer(peer, folder, work)));
  }
  engineRounds.push(await inFolder((folder) => measureEngine(folder, items)));
}

const medians = new Map<string, Figures>();
for (const [name, figures] of rounds) {
  const median: Figures = {};
  for (const operation of OPERATIONS) {
    const all = figures.map((figure) => figure[operation]).filter((timing) => timing !== undefined);
    if (all.length > 0) median[operation] = medianTiming(all);
  }
  medians.set(name, median);
}
const engine: EngineFigures = {
  openLog: medianTiming(engineRounds.map(({ openLog }) => openLog)),
  openBackend: medianTiming(engineRounds.map(({ openBackend }) => openBackend)),
  evict: medianEviction(engineRounds.map(({ evict }) => evict)),
  evictHot: medianEviction(engineRounds.map(({ evictHot }) => evictHot)),
};

function medianEviction(evictions: readonly Eviction[]): Eviction {
  return {
    each: medianTiming(evictions.map(({ each }) => each)),
    writeAmplification: medianOf(evictions.map(({ writeAmplification }) => writeAmplification)),
  };
}

for (const [subject, figures] of medians) {
  for (const operation of OPERATIONS) {
    const timing = figures[operation];
    if (timing === undefined) continue;
    const group = `${GROUPS[operation]}, disk, 6 KB`;
    const samples = rounds.get(subject)!.length;
    record({
      group,
      subject,
      metric: "time",
      unit: "us",
      value: timing.us,
      samples,
      floor: FLOOR,
      ...(subject === OURS && operation !== "delete" && operation !== "get64"
        ? { goal: { of: "ratio", atMost: 2 } }
        : {}),
    });
  }
}
record(
  {
    group: `open, ${ENTRIES.toLocaleString("en-US")} entries`,
    subject: OURS,
    metric: "time",
    unit: "ms",
    value: engine.openBackend.us / 1000,
    samples: engineRounds.length,
    goal: { of: "value", atMost: 50 },
  },
  {
    group: "evict, an entry",
    subject: "nobody has read it",
    metric: "time",
    unit: "us",
    value: engine.evict.each.us,
    samples: engineRounds.length,
    goal: { of: "value", atMost: 1 },
  },
  {
    group: "evict, an entry",
    subject: "a quarter was read",
    metric: "time",
    unit: "us",
    value: engine.evictHot.each.us,
    samples: engineRounds.length,
  },
);

const TITLES = { set: "set", get: "get", get64: "get, 64 at once", delete: "delete" };

function number(value: number): string {
  return Number.isNaN(value) ? "-" : value.toFixed(Math.abs(value) < 100 ? 2 : 0);
}

function printFigures(title: string, field: keyof Timing): void {
  const of = (name: string, operation: Operation): number =>
    medians.get(name)?.[operation]?.[field] ?? NaN;
  printTable(
    [title, ...OPERATIONS.flatMap((operation) => [TITLES[operation], "/floor", "/ours"])],
    peers.map(({ name }) => [
      name,
      ...OPERATIONS.flatMap((operation) => {
        const value = of(name, operation);
        return [value, value / of(FLOOR, operation), value / of(OURS, operation)].map(number);
      }),
    ]),
  );
  console.log("");
}

printFigures("us an operation", "us");
printFigures("us of CPU an operation", "cpuUs");
for (const [name, version] of versions) console.log(`  ${name}: ${version}`);
console.log(`  "ours" is ${OURS}\n`);
for (
  const [what, { each, writeAmplification }] of [
    ["nobody has read", engine.evict],
    ["some are read of, which are carried over", engine.evictHot],
  ] as const
) {
  console.log(
    `  evicting entries that ${what}: ${number(each.us)} us, CPU ${number(each.cpuUs)}, each; ` +
      `${writeAmplification.toFixed(3)} x written`,
  );
}
console.log("");

const goals = compareWithGoals(medians, engine, "us");
const goalsByCpu = compareWithGoals(medians, engine, "cpuUs");
printTable(
  ["goal", "measured", "", "by CPU time", ""],
  goals.map(({ text, value, unit, isMet }, at) => {
    const byCpu = goalsByCpu[at]!;
    const cells = [`${number(value)} ${unit}`, isMet ? "" : "missed"];
    return [text, ...cells, `${number(byCpu.value)} ${unit}`, byCpu.isMet ? "" : "missed"];
  }),
);
console.log(`load ${load()}`);

if (values.json !== undefined) {
  const report = {
    runtime: thisRuntime().title,
    entries: ENTRIES,
    valueBytes: items[0]!.bytes.length,
    load: { before: loadBefore, after: load() },
    versions: Object.fromEntries(versions),
    medians: Object.fromEntries(medians),
    rounds: Object.fromEntries(rounds),
    engine: { medians: engine, rounds: engineRounds },
    goals,
    goalsByCpu,
  };
  writeFileSync(values.json, JSON.stringify(report, undefined, 2));
}
