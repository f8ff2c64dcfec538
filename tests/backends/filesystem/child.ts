/*
 * Run as a process of its own over a directory that others use as well.
 *
 * Arguments: what to do, directory, prefix of keys, count.
 *
 * - `write`: sets so many small and large values, closes.
 * - `end`: sets so many values and ends by itself, without flush or close.
 * - `exit`: sets so many values one after another and calls `process.exit()`.
 * - `throw`, `reject`: the same, and ends by an error that nobody catches.
 * - `storm`: sets small and large values for ever, each durable, and says on
 *   standard output what it begins and what is acknowledged.
 * - `fill`: sets so many values of 6 KB, and every fifth of 20 KB, ten at a time,
 *   within the limit given as the fifth argument; says how many were stored and
 *   declined, and how many reports there were of that.
 * - `share`: for each line on standard input that is `set`, `delete` or
 *   `clear`, does that to its keys and answers with a line.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { FilesystemBackend } from "../../../backends/filesystem.ts";
import { systemClock } from "../../../src/clock.ts";
import { entryOf } from "../../fakes/entries.ts";

const [task, basePath, prefix, count, maxBytes = "8MB"] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string | undefined,
];
let reported = 0;
const backend = await FilesystemBackend.open(
  {
    basePath,
    maxBytes,
    refreshInterval: "10ms",
    durability: task === "storm" ? "batch" : "none",
  },
  {
    clock: systemClock,
    report: ({ error }) => {
      if (error === undefined) return;
      reported++;
      console.error(error);
    },
  },
);
const keys = Array.from({ length: Number(count) }, (_, at) => `${prefix}:${at}`);

/** Every tenth value is large. */
function valueOf(at: number, mark: string): string {
  return `${mark}:${prefix}:${at}:`.padEnd(at % 10 === 9 ? 70_000 : 500, "x");
}

async function setAll(mark: string): Promise<void> {
  for (const [at, key] of keys.entries()) {
    await backend.set(key, entryOf(key, valueOf(at, mark), { clock: systemClock }));
  }
}

if (task === "write") {
  await setAll("written");
  await backend.close();
} else if (task === "exit") {
  await setAll("written");
  process.exit(0);
} else if (task === "throw") {
  await setAll("written");
  queueMicrotask(() => {
    throw new Error("meant to be uncaught");
  });
} else if (task === "reject") {
  await setAll("written");
  throw new Error("meant to be uncaught");
} else if (task === "fill") {
  const outcomes: boolean[] = [];
  for (let at = 0; at < keys.length; at += 10) {
    const slice = keys.slice(at, at + 10).map((key, each) => {
      const value = new Uint8Array(each % 5 === 4 ? 20_000 : 6144).fill(at + each);
      return entryOf(key, value, { clock: systemClock });
    });
    outcomes.push(...await backend.setMany(slice));
  }
  await backend.flush();
  const stored = outcomes.filter(Boolean).length;
  const last = await backend.getMany(keys.slice(-5));
  await backend.close();
  console.log(JSON.stringify({
    stored,
    declined: outcomes.length - stored,
    reported,
    kept: last.filter((entry) => entry !== undefined).length,
  }));
} else if (task === "end") {
  for (const [at, key] of keys.entries()) {
    // Not awaited: what was begun is done by a process that ends by itself.
    void backend.set(key, entryOf(key, valueOf(at, "written"), { clock: systemClock }));
  }
} else if (task === "storm") {
  for (let version = 1;; version++) {
    const at = version * 7 % keys.length;
    const value = `${version}:`.padEnd(version % 3 === 0 ? 70_000 : 500, "x");
    writeSync(1, `begun ${at} ${version}\n`);
    await backend.set(keys[at]!, entryOf(keys[at]!, value, { clock: systemClock, version }));
    writeSync(1, `acknowledged ${at} ${version}\n`);
  }
} else {
  console.log("ready");
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "set") await setAll("shared");
    else if (line === "delete") await backend.deleteMany(keys);
    else await backend.clear(`${prefix}:*`);
    await backend.flush();
    console.log("done");
  }
  await backend.close();
}
