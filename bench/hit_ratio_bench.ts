/*
 * Replays streams of requests through the memory tier with each eviction
 * policy, through the filesystem tier, and over two tiers with and without
 * fetching ahead. A miss stores its key. Regret is what a policy stays behind
 * the best known, in points of the hit ratio.
 *
 *   --quick         short, shows only that it works
 *   --traces DIR    also replays the files of a folder: gzip of little-endian
 *                   uint32 key numbers, *.u32.gz, with reference.csv beside
 *                   them if there is one; without it, those of
 *                   ../shared/traces if that is there and the run is not quick
 *   --only NAME     only streams whose name contains the text; may be repeated
 *   --policy NAME   only this policy, and lru; may be repeated
 *   --limit WHAT    what limits the memory tier: entries, or bytes, of which it is
 *                   given as many as so many entries take
 *   --json FILE     writes all hit ratios to a file
 */

import { existsSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { EvictionPolicyName } from "../mod.ts";
import { evictionPolicyNames } from "../src/eviction/policies.ts";
import { printTable } from "./demo/table.ts";
import { beladyHitRatio } from "./hit_ratio/belady.ts";
import { generatedStreams } from "./hit_ratio/generated.ts";
import { policyCost } from "./hit_ratio/policy_cost.ts";
import { replayPrefetching } from "./hit_ratio/prefetching.ts";
import { regretOf, type Row } from "./hit_ratio/regrets.ts";
import { entriesOf, replayInMemory, replayOnDisk } from "./hit_ratio/replay.ts";
import type { RequestStream, StreamSize } from "./hit_ratio/stream.ts";
import { traceStreams } from "./hit_ratio/traces.ts";
import type { Goal } from "./suite/figure.ts";
import { note, record } from "./suite/record.ts";
import { isQuick, scaled } from "./suite/scale.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    traces: { type: "string" },
    only: { type: "string", multiple: true, default: [] },
    policy: { type: "string", multiple: true, default: [] },
    limit: { type: "string", default: "entries" },
    json: { type: "string" },
  },
});

/** Where traces lie beside the project. */
const DEFAULT_TRACES = "../shared/traces";

/** Requests of each generated stream. */
const REQUESTS = scaled(20_000, 400_000);
const DISK_REQUESTS = scaled(1000, 20_000);
const AHEAD_REQUESTS = scaled(10_000, 1_000_000);

/** Entries of a policy whose cost is measured, and accesses. */
const COST_ENTRIES = scaled(10_000, 100_000);
const COST_ACCESSES = scaled(50_000, 1_000_000);

/** Policies of the memory tier that is fetched into. */
const AHEAD_POLICIES = ["lru", "auto"] as const;

const policies = evictionPolicyNames.filter((name) =>
  name === "lru" || values.policy.length === 0 || values.policy.includes(name)
);

if (!["entries", "bytes"].includes(values.limit)) {
  throw new TypeError(`Cannot limit by "${values.limit}": known are entries, bytes`);
}

const isWanted = (name: string): boolean =>
  values.only.length === 0 || values.only.some((text) => name.includes(text));

const generated = generatedStreams(REQUESTS).filter(({ name }) => isWanted(name));
const folder = values.traces ?? (existsSync(DEFAULT_TRACES) ? DEFAULT_TRACES : undefined);
const hasTraces = folder !== undefined && (values.traces !== undefined || !isQuick);
if (!hasTraces) note("Files of requests were left out: only generated streams");

const generatedRows = await replayAll(generated);
const traceRows = hasTraces ? await replayAll(traceStreams(folder, isWanted)) : [];
printRows([...generatedRows, ...traceRows]);
printRegrets("generated streams", generatedRows);
if (traceRows.length > 0) printRegrets("files", traceRows);
await measureCosts();
await replayDisk();
await replayAhead();
if (values.json !== undefined) {
  writeFileSync(values.json, JSON.stringify([...generatedRows, ...traceRows], undefined, 2));
}

async function replayAll(streams: Iterable<RequestStream>): Promise<Row[]> {
  const rows: Row[] = [];
  for (const stream of streams) {
    const entries = entriesOf(stream);
    for (const size of stream.sizes) {
      const hitRatios: Partial<Record<EvictionPolicyName, number>> = {};
      for (const policy of policies) {
        const { hitRatio } = await replayInMemory(
          stream,
          entries,
          size.entries,
          policy,
          values.limit === "bytes" ? "bytes" : "entries",
        );
        hitRatios[policy] = hitRatio;
      }
      const row = rowOf(stream, size, hitRatios as Row["hitRatios"]);
      rows.push(row);
      record(...policies.map((policy) => ({
        group: `regret, ${row.stream} with ${row.entries} entries`,
        subject: policy,
        metric: "regret",
        unit: "%" as const,
        value: Math.max(0, row.best - row.hitRatios[policy]),
      })));
    }
  }
  return rows;
}

function rowOf(stream: RequestStream, size: StreamSize, hitRatios: Row["hitRatios"]): Row {
  return {
    stream: stream.name,
    entries: size.entries,
    hitRatios,
    // Regret is told against the reference where there is one, be that the best or not.
    best: size.best ?? Math.max(...policies.map((policy) => hitRatios[policy])),
    belady: size.belady ?? beladyHitRatio(stream.requests, size.entries),
    wTinyLfu: size.wTinyLfu,
  };
}

function printRows(rows: readonly Row[]): void {
  console.log(`\nhit ratio of the memory tier, limited by ${values.limit}, %`);
  printTable(
    ["stream, entries", ...policies, "best known", "Belady"],
    rows.map(({ stream, entries, hitRatios, best, belady }) => [
      `${stream}, ${entries}`,
      ...policies.map((policy) => hitRatios[policy].toFixed(2)),
      best.toFixed(2),
      belady.toFixed(2),
    ]),
  );
}

function printRegrets(what: string, rows: readonly Row[]): void {
  const regrets = policies.map((policy) => ({ policy, ...regretOf(policy, rows) }));
  console.log(`\nregret over ${rows.length} rows of ${what}, points`);
  printTable(
    ["policy", "mean", "worst", "below lru", "below Belady", "below W-TinyLFU of the reference"],
    regrets.map(({ policy, mean, worst, belowLru, belowBelady, belowWTinyLfu }) => [
      policy,
      mean.toFixed(2),
      worst.toFixed(2),
      belowLru.toFixed(2),
      belowBelady.toFixed(2),
      Number.isNaN(belowWTinyLfu) ? "" : belowWTinyLfu.toFixed(2),
    ]),
  );
  // Short streams end before anything can have been learned.
  const auto = (atMost: number): Goal | undefined => isQuick ? undefined : { of: "value", atMost };
  for (const { policy, mean, worst, belowLru, belowWTinyLfu } of regrets) {
    const isAuto = policy === "auto";
    const aspects = [
      ["mean regret", mean, isAuto ? auto(1.25) : undefined],
      ["worst regret", worst, isAuto ? auto(8) : undefined],
      ["below lru", belowLru, isAuto ? auto(2) : undefined],
      ["below W-TinyLFU", belowWTinyLfu, policy === "w-tiny-lfu" ? auto(1) : undefined],
    ] as const;
    record(...aspects.map(([metric, value, goal]) => ({
      group: `all ${what}`,
      subject: policy,
      metric,
      unit: "%" as const,
      value,
      goal,
    })));
  }
}

async function measureCosts(): Promise<void> {
  const rows: string[][] = [];
  for (const policy of policies) {
    const { use, exchange, bytes } = await policyCost(policy, COST_ENTRIES, COST_ACCESSES);
    rows.push([
      policy,
      use.toFixed(1),
      exchange.toFixed(1),
      bytes === undefined ? "not told" : bytes.toFixed(1),
    ]);
    const group = `policy alone, ${COST_ENTRIES} entries`;
    const goal = (atMost: number): Goal => ({ of: "value", atMost });
    record(
      { group, subject: policy, metric: "use", unit: "ns", value: use, goal: goal(100) },
      { group, subject: policy, metric: "exchange", unit: "ns", value: exchange },
    );
    if (bytes !== undefined) {
      record({
        group,
        subject: policy,
        metric: "entry",
        unit: "bytes",
        value: bytes,
        goal: goal(40),
      });
    }
  }
  console.log(`\na policy alone, full with ${COST_ENTRIES} entries`);
  printTable(["policy", "a use, ns", "one in, one out, ns", "bytes an entry"], rows);
}

async function replayDisk(): Promise<void> {
  const rows: string[][] = [];
  for (const stream of generated.filter(({ name }) => ["zipf", "loop", "scan"].includes(name))) {
    const short = { ...stream, requests: stream.requests.subarray(0, DISK_REQUESTS) };
    const entries = entriesOf(short);
    const [, size] = stream.sizes;
    const cells: string[] = [];
    for (const policy of policies) {
      const { hitRatio } = await replayOnDisk(short, entries, size!.entries, policy);
      cells.push(hitRatio.toFixed(2));
    }
    const belady = beladyHitRatio(short.requests, size!.entries);
    rows.push([`${stream.name}, ${size!.entries}`, ...cells, belady.toFixed(2)]);
  }
  console.log(`\nhit ratio of the filesystem tier, ${DISK_REQUESTS} requests, %`);
  printTable(["stream, entries", ...policies, "Belady"], rows);
}

async function replayAhead(): Promise<void> {
  const rows: string[][] = [];
  const wanted = ["zipf", "burst", "sequence"];
  const streams = [
    ...generated.filter(({ name }) => wanted.includes(name)),
    ...hasTraces ? traceStreams(folder, (name) => isWanted(name) && isForAhead(name)) : [],
  ];
  for (const stream of streams) {
    const short = { ...stream, requests: stream.requests.subarray(0, AHEAD_REQUESTS) };
    const entries = entriesOf(short);
    const size = (stream.sizes[1] ?? stream.sizes[0]!).entries;
    for (const policy of AHEAD_POLICIES) {
      const ahead = await replayPrefetching(short, entries, size, policy);
      rows.push([
        `${stream.name}, ${size}`,
        policy,
        ahead.without.toFixed(2),
        ahead.with.toFixed(2),
        ahead.avoided.toFixed(1),
        ahead.precision.toFixed(1),
        ahead.extraLoads.toFixed(1),
      ]);
      const group = `fetching ahead, ${stream.name} with ${size} entries`;
      const goals = aheadGoals(stream.name, policy);
      const aspects: readonly [string, number][] = [
        ["misses left", 100 - ahead.avoided],
        ["misses", 100 - ahead.with],
        ["loads", 100 + ahead.extraLoads],
        // Where nothing was fetched, nothing was wasted.
        ["wasted", ahead.precision === 0 ? 0 : 100 - ahead.precision],
      ];
      record(
        ...aspects.map(([metric, value]) => ({
          group,
          subject: policy,
          metric,
          unit: "%" as const,
          value,
          goal: goals[metric],
        })),
      );
    }
  }
  console.log(`\nfetching ahead from a slower tier, ${AHEAD_REQUESTS} requests at most, %`);
  printTable(
    [
      "stream, entries",
      "policy",
      "hits without",
      "with",
      "misses avoided",
      "precision",
      "extra loads",
    ],
    rows,
  );
}

/** What fetching ahead has to do: to serve nine of ten requests where they repeat, and no harm where they do not. */
function aheadGoals(stream: string, policy: string): Readonly<Record<string, Goal>> {
  if (stream === "orm_night") {
    return { misses: { of: "value", atMost: 10 }, wasted: { of: "value", atMost: 10 } };
  }
  // What "auto" does differs from run to run by more than this.
  const isHarmless = policy === "lru" && ["web07", "corda", "zipf"].includes(stream);
  return isHarmless ? { loads: { of: "value", atMost: 101 } } : {};
}

/** Files on which fetching ahead is judged. */
function isForAhead(name: string): boolean {
  return ["orm_night", "web07", "corda"].includes(name);
}
