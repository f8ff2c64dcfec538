import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { GOLDEN_DIRECTORY, packDisk, unpackDisk, writeGolden } from "./golden.ts";
import { openLog, readVersion } from "./helpers.ts";

/** Written by version 1 of the format; a later one adds a file and leaves this one as it is. */
const GOLDEN = fs.readFileSync(new URL("./golden_v1.txt", import.meta.url), "utf8");

test("a directory of format version 1 gives what was put into it", async () => {
  const now = 1_800_000_000_100;
  const clock = { now: () => now, recent: () => now, schedule: () => () => {} };
  const log = await openLog(GOLDEN_DIRECTORY, { fileLayer: unpackDisk(GOLDEN), clock });
  const expected: readonly (readonly [string, number])[] = [
    ["a", 0],
    ["", 1],
    ["\ud800", 2],
    ["key/😀", 3],
    ["replaced", 10],
    ["deleted", -1],
    ["cleared", -1],
    ["expires", 9],
  ];
  for (const [key, version] of expected) assert.equal(await readVersion(log, key), version, key);
  const large = await log.get("large");
  assert.equal(large?.isReference, true);
  assert.equal(new TextDecoder().decode(large.body), "objects/1");
  assert.equal(log.stats().entries, 7);
  await log.close();
  assert.deepEqual(log.reports, []);
});

test("what is written has not changed since format version 1", async () => {
  assert.equal(packDisk(await writeGolden()), GOLDEN.trim());
});
