/*
 * The filesystem tier with 6,144-byte values beside the bare calls of node:fs:
 * µs an operation, and what it takes to open a directory that is full.
 *
 *   --quick         short, shows only that it works
 *   --entries N     entries of the directory that is opened
 */

import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { digestOf, entryPath, LAYOUT, shardName, SHARDS } from "../backends/filesystem/names.ts";
import { FilesystemBackend } from "../backends/filesystem.ts";
import { nativeCrc32 } from "../codecs/_native_crc32.ts";
import { systemClock } from "../src/clock.ts";
import { useNativeCrc32 } from "../src/entry/checksum.ts";
import { CacheEntry } from "../src/entry/entry.ts";
import { jsonSerializer } from "../src/serializers/json.ts";

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    entries: { type: "string", default: "20000" },
  },
});

const OPERATIONS = values.quick ? 50 : 1000;
const AT_ONCE = 64;
const ENTRIES = values.quick ? 500 : Number(values.entries);
const FORMAT = { serializer: jsonSerializer, codec: undefined, compressionMinBytes: 0 };
const VALUE = new Float32Array(1536).fill(0.25);
const BYTES = new Uint8Array(VALUE.buffer);

if (nativeCrc32 !== undefined) useNativeCrc32(nativeCrc32);
const directory = fs.mkdtempSync(join(tmpdir(), "strata-bench-"));
process.on("exit", () => fs.rmSync(directory, { recursive: true }));
const context = { clock: systemClock, report: () => {} };

function entryOf(key: string): CacheEntry {
  const createdAt = Date.now();
  return CacheEntry.of(key, VALUE, {
    createdAt,
    expiresAt: Infinity,
    staleUntil: Infinity,
    version: 1,
    tags: [],
  }, FORMAT);
}

/** Numbers from `first` on go to one operation each. */
async function measure(
  operate: (at: number) => unknown,
  first: number,
  atOnce: number,
): Promise<string> {
  const start = performance.now();
  let next = first;
  const work = async (): Promise<void> => {
    while (next < first + OPERATIONS) await operate(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return ((performance.now() - start) * 1000 / OPERATIONS).toFixed(1).padStart(9);
}

async function row(name: string, operate: (at: number) => unknown): Promise<void> {
  const alone = await measure(operate, 0, 1);
  console.log(`${name.padEnd(44)}${alone}${await measure(operate, OPERATIONS, AT_ONCE)}`);
}

const raw = join(directory, "raw");
fs.mkdirSync(raw);
const promises = fs.promises;
const backend = await FilesystemBackend.open({ basePath: join(directory, "tier") }, context);
await backend.getStats();
const key = (at: number): string => `embedding:${at}`;

async function replaceRaw(at: number): Promise<void> {
  const path = join(raw, `${at}`);
  await promises.writeFile(`${path}.tmp`, BYTES, { flag: "wx" });
  await promises.rename(`${path}.tmp`, path);
}

console.log(`${"µs an operation".padEnd(44)}${"one".padStart(9)}${"64".padStart(9)}`);
await row("raw: writeFile and rename, new name", replaceRaw);
await row("tier: set of a new key", (at) => backend.set(key(at), entryOf(key(at))));
await row("raw: writeFile and rename over an old file", replaceRaw);
await row("tier: set of a key that is there", (at) => backend.set(key(at), entryOf(key(at))));
await row("raw: open, read and close, synchronous", (at) => {
  const fd = fs.openSync(join(raw, `${at}`), "r");
  fs.readSync(fd, new Uint8Array(BYTES.length), 0, BYTES.length, 0);
  fs.closeSync(fd);
});
await row("raw: readFile", (at) => promises.readFile(join(raw, `${at}`)));
await row("tier: get, hit", (at) => backend.get(key(at)));
await row("tier: get, miss", (at) => backend.get(`missing:${at}`));
await row("tier: exists", (at) => backend.exists(key(at)));
await row(
  "raw: unlink",
  (at) => promises.unlink(join(raw, `${at}`)),
);
await row("tier: delete", (at) => backend.delete(key(at)));
await backend.close();

const full = join(directory, "full");
for (let shard = 0; shard < SHARDS; shard++) {
  fs.mkdirSync(join(full, LAYOUT, shardName(shard)), { recursive: true });
}
const small = Uint8Array.from(await entryOf("any").encode()).subarray(0, 300);
for (let at = 0; at < ENTRIES; at++) {
  fs.writeFileSync(join(full, LAYOUT, entryPath(digestOf(key(at)))), small);
}
const start = performance.now();
const opened = await FilesystemBackend.open({ basePath: full }, context);
const ready = performance.now();
const { entries } = await opened.getStats();
const known = performance.now();
console.log(
  `\nopen: usable after ${(ready - start).toFixed(1)} ms, ${entries} entries known after ${
    (known - start).toFixed(0)
  } ms, ${((known - start) * 1000 / ENTRIES).toFixed(1)} µs an entry`,
);
await opened.close();
