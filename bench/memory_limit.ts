/*
 * Shows that the memory tier's limit is what the process really grows by: each
 * kind of value is churned through a limit of 64 MiB in a fresh process, which
 * then collects its garbage and compares its resident size with the one before.
 *
 *   deno run -A bench/memory_limit.ts
 *   bun bench/memory_limit.ts
 *   node bench/memory_limit.ts
 *
 * Ends with exit code 1 when a ratio is above 1.2. Names of kinds as arguments
 * choose some.
 */

import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { MemoryBackend } from "../backends/memory.ts";
import type { WriteFormat } from "../src/entry/content.ts";
import { CacheEntry } from "../src/entry/entry.ts";

const MIB = 1024 * 1024;
const LIMIT_MIB = 64;
/** How often the limit is filled, as the tier counts bytes. */
const TIMES_OVER = 3;
const MAX_RATIO = 1.2;
/**
 * Churn at the speed of this loop makes garbage faster than any runtime
 * collects it; what is to be measured is what the tier keeps.
 */
const COLLECT_EVERY_MIB = 8;

const FORMAT: WriteFormat = {
  serializer: {
    name: "none",
    id: 255,
    encode: () => {
      throw new TypeError("Cannot encode: the memory tier never does");
    },
    decode: () => undefined,
  },
  codec: undefined,
  compressionMinBytes: 0,
};

/** Makes the n-th value of a kind; every one is a new object. */
const KINDS: Readonly<Record<string, (n: number) => unknown>> = {
  "integers": (n) => n % 1000,
  "short strings": (n) => `value ${n} of many`,
  "1 KB texts": (n) => `${n} `.padEnd(1000, "the quick brown fox "),
  "small objects": (n) => ({ id: n, name: `name ${n}`, isActive: true }),
  "nested objects": (n) => JSON.parse(nestedJson(n)),
  "nested objects, built": (n) => nested(n),
  "arrays of 100 numbers": (n) => Array.from({ length: 100 }, (_, at) => at + n / 7),
  "maps of 20": (n) => new Map(Array.from({ length: 20 }, (_, at) => [`key ${at}`, n + at])),
  "384-d vectors": (n) => new Float32Array(384).fill(n),
  "1536-d vectors": (n) => new Float32Array(1536).fill(n),
  "1536-d vectors as arrays": (n) => Array.from({ length: 1536 }, (_, at) => at / (n + 1)),
  "tables of scores": (n) =>
    Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`doc ${n + at}`, at / 7])),
  "64 KB of bytes": (n) => new Uint8Array(65_536).fill(n),
};

function nested(n: number): unknown {
  return {
    id: `document ${n}`,
    score: n / 3,
    author: { name: `author ${n}`, address: { city: "Athens", zip: n % 90_000 } },
    tags: [`tag ${n % 50}`, "b", "c"],
    chunks: Array.from({ length: 5 }, (_, at) => ({
      start: at * 100,
      end: at * 100 + 99,
      weight: at / 7,
      text: `chunk ${at} of document ${n}`,
    })),
  };
}

function nestedJson(n: number): string {
  return JSON.stringify(nested(n));
}

function collectGarbage(): void {
  const { Bun, gc } = globalThis as {
    Bun?: { gc(force: boolean): void };
    gc?: (options: Readonly<Record<string, string>>) => void;
  };
  if (Bun !== undefined) Bun.gc(true);
  // Only the last resort gives free pages back to the system.
  else if (gc !== undefined) gc({ type: "major", execution: "sync", flavor: "last-resort" });
  else throw new Error("Cannot measure memory: the garbage collector is not exposed");
}

async function settledRss(): Promise<number> {
  for (let turn = 0; turn < 6; turn++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage.rss();
}

async function churn(backend: MemoryBackend, kind: string, bytes: number): Promise<number> {
  const make = KINDS[kind]!;
  const metadata = {
    createdAt: 1_700_000_000_000,
    expiresAt: Infinity,
    staleUntil: Infinity,
    tags: [],
  };
  let held = 0;
  let peak = 0;
  let gone = 0;
  let collectedAt = 0;
  for (let n = 0; held + gone < bytes; n++) {
    const key = `namespace:kind:${n}`;
    await backend.set(key, CacheEntry.of(key, make(n), { ...metadata, version: n }, FORMAT));
    if (n % 64 !== 0) continue;
    const { bytes: now = 0, entries = 1, evictions = 0 } = await backend.getStats();
    held = now;
    gone = evictions * (now / Math.max(1, entries));
    peak = Math.max(peak, process.memoryUsage.rss());
    if (held + gone - collectedAt > COLLECT_EVERY_MIB * MIB) {
      collectedAt = held + gone;
      collectGarbage();
    }
  }
  return peak;
}

/** The child: one kind, one line of JSON. */
async function measure(kind: string): Promise<void> {
  // What the runtime itself grows by when it works hard is there before the first reading.
  const warmUp = new MemoryBackend({ maxSizeMb: 4 });
  await churn(warmUp, kind, 64 * MIB);
  await warmUp.close();
  const before = await settledRss();
  const backend = new MemoryBackend({ maxSizeMb: LIMIT_MIB });
  const peak = await churn(backend, kind, TIMES_OVER * LIMIT_MIB * MIB);
  const after = await settledRss();
  const { entries, bytes } = await backend.getStats();
  console.log(JSON.stringify({ entries, bytes, growth: after - before, peak: peak - before }));
}

function measureInChild(kind: string): Record<string, number> {
  const script = fileURLToPath(import.meta.url);
  const { versions, execPath } = process;
  const flags = versions["bun"] !== undefined
    ? []
    : versions["deno"] !== undefined
    ? ["run", "-A", "--no-check", "--v8-flags=--expose-gc"]
    : ["--expose-gc", "--disable-warning=ExperimentalWarning"];
  const output = execFileSync(execPath, [...flags, script, "--measure", kind], {
    encoding: "utf8",
  });
  return JSON.parse(output);
}

if (process.argv[2] === "--measure") {
  await measure(process.argv[3]!);
} else {
  const chosen = process.argv.slice(2);
  const kinds = Object.keys(KINDS).filter((kind) => chosen.length === 0 || chosen.includes(kind));
  console.log(`Limit ${LIMIT_MIB} MiB, filled ${TIMES_OVER} times over`);
  console.log("ratio  while filling  entries  a entry  counted  kind");
  for (const kind of kinds) {
    const { entries = 0, bytes = 0, growth = 0, peak = 0 } = measureInChild(kind);
    const ratio = growth / (LIMIT_MIB * MIB);
    console.log(
      ratio.toFixed(2).padStart(5),
      (peak / (LIMIT_MIB * MIB)).toFixed(2).padStart(14),
      String(entries).padStart(8),
      String(Math.round(growth / entries)).padStart(8),
      String(Math.round(bytes / entries)).padStart(8),
      ` ${kind}${ratio > MAX_RATIO ? "  ABOVE THE LIMIT" : ""}`,
    );
    if (ratio > MAX_RATIO) process.exitCode = 1;
  }
}
