import assert from "node:assert/strict";
import { test } from "node:test";
import { DirectoryWatch } from "../../../../backends/filesystem/log/directory_watch.ts";
import { openDirectory } from "../../../../backends/filesystem/log/manifest.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { seeded } from "./helpers.ts";
import { MemoryDisk } from "./memory_disk.ts";

/** Lists a directory some time after it was changed. */
function listedAfter(milliseconds: number, changedAt: number) {
  const disk = new MemoryDisk();
  const directory = openDirectory(disk, "/log", seeded(1), () => {});
  const look = { inode: 7, changedAt };
  disk.look = () => ({ ...look });
  const watch = new DirectoryWatch(disk, directory, new FakeClock(changedAt + milliseconds));
  watch.list();
  return { watch, look };
}

const SECOND = 1_700_000_000_000;

test("a change is seen by the time of the directory", () => {
  const { watch, look } = listedAfter(200, SECOND + 0.25);
  assert.equal(watch.isUnchanged(), true);
  look.changedAt += 0.5;
  assert.equal(watch.isUnchanged(), false);
});

test("what comes within the tick of a time that has fractions may not show", () => {
  assert.equal(listedAfter(99, SECOND + 10).watch.isUnchanged(), false);
  assert.equal(listedAfter(101, SECOND + 10).watch.isUnchanged(), true);
});

test("a time in whole seconds may be that of a change two seconds later", () => {
  assert.equal(listedAfter(2_400, SECOND).watch.isUnchanged(), false);
  assert.equal(listedAfter(2_600, SECOND).watch.isUnchanged(), true);
});

test("another directory in its place is a change", () => {
  const { watch, look } = listedAfter(5_000, SECOND);
  look.inode++;
  assert.equal(watch.isUnchanged(), false);
});
