import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { FakeProcesses, MemoryDisk } from "./memory_disk.ts";
import { frameOf, openLog, readVersion, withDirectory } from "./helpers.ts";

/** A stopwatch that stands still until it is told to go on. */
function stopwatch(): { read: () => number; advance: (milliseconds: number) => void } {
  let now = 0;
  return { read: () => now, advance: (milliseconds) => now += milliseconds };
}

const POLL_MS = 100;

for (const way of ["removed", "emptied", "moved away"] as const) {
  test(`a log whose directory was ${way} begins anew, with a report`, () =>
    withDirectory(async (base) => {
      const directory = `${base}/log`;
      const time = stopwatch();
      const log = await openLog(directory, { stopwatch: time.read, segmentBytes: 16 * 1024 });
      await log.put("old", frameOf("old", 1), Infinity);
      await log.flush();
      if (way === "moved away") fs.renameSync(directory, `${base}/elsewhere`);
      else fs.rmSync(directory, { recursive: true });
      if (way === "emptied") fs.mkdirSync(directory);
      time.advance(POLL_MS);
      assert.equal(await log.get("old"), undefined);
      assert.equal(log.reports.length, 1);
      assert.match(String(log.reports[0]?.error), /was removed or replaced/);
      for (let at = 0; at < 60; at++) {
        assert.equal(await log.put(`k${at}`, frameOf(`k${at}`, at, 900), Infinity), true);
      }
      await log.flush();
      for (let at = 0; at < 60; at++) assert.equal(await readVersion(log, `k${at}`), at);
      assert.equal(log.stats().health, "healthy");
      const other = await openLog(directory);
      assert.equal(await readVersion(other, "k59"), 59);
      assert.equal(await other.get("old"), undefined);
      await other.close();
      await log.close();
      assert.equal(fs.readdirSync(directory).some((name) => name.endsWith(".own")), false);
      if (way === "moved away") {
        const moved = await openLog(`${base}/elsewhere`);
        assert.equal(await readVersion(moved, "old"), 1, "what was moved is whole");
        await moved.close();
      }
      assert.equal(log.reports.length, 1);
    }));
}

test("a log whose directory was replaced by another log's joins that one", () =>
  withDirectory(async (base) => {
    const time = stopwatch();
    const log = await openLog(`${base}/log`, { stopwatch: time.read });
    await log.put("old", frameOf("old", 1), Infinity);
    await log.flush();
    fs.renameSync(`${base}/log`, `${base}/elsewhere`);
    // Its owner file has the same name.
    const other = await openLog(`${base}/log`);
    await other.put("theirs", frameOf("theirs", 2), Infinity);
    await other.flush();
    time.advance(POLL_MS);
    assert.equal(await readVersion(log, "theirs"), 2);
    assert.equal(await log.get("old"), undefined);
    await log.put("mine", frameOf("mine", 3), Infinity);
    await log.flush();
    other.refresh();
    assert.equal(await readVersion(other, "mine"), 3);
    await log.close();
    // The other's number is still its own.
    await other.put("more", frameOf("more", 4), Infinity);
    await other.close();
    const again = await openLog(`${base}/log`);
    for (const [at, key] of ["theirs", "mine", "more"].entries()) {
      assert.equal(await readVersion(again, key), at + 2);
    }
    await again.close();
    assert.deepEqual(other.reports, []);
  }));

test("a log that cannot make its directory again misses, and goes on once it can", () =>
  withDirectory(async (base) => {
    const directory = `${base}/in/log`;
    const time = stopwatch();
    const log = await openLog(directory, { stopwatch: time.read });
    await log.put("old", frameOf("old", 1), Infinity);
    await log.flush();
    fs.rmSync(`${base}/in`, { recursive: true });
    fs.writeFileSync(`${base}/in`, "a file in the way");
    for (let round = 0; round < 3; round++) {
      time.advance(POLL_MS);
      assert.equal(await log.get("old"), undefined);
      assert.equal(await log.put("new", frameOf("new", 2), Infinity), false);
      assert.equal(await log.delete("old"), false);
      assert.equal(log.stats().health, "off");
    }
    assert.equal(log.reports.length, 2, "once that it is gone, once that it cannot be made");
    fs.rmSync(`${base}/in`);
    time.advance(POLL_MS);
    assert.equal(await log.put("new", frameOf("new", 3), Infinity), true);
    assert.equal(await readVersion(log, "new"), 3);
    await log.close();
    const again = await openLog(directory);
    assert.equal(await readVersion(again, "new"), 3);
    await again.close();
  }));

test("what was being written when the directory went is declined or there, and nothing else is left", () =>
  withDirectory(async (base) => {
    const directory = `${base}/log`;
    const time = stopwatch();
    const log = await openLog(directory, {
      stopwatch: time.read,
      segmentBytes: 16 * 1024,
      maxBytes: 512 * 1024,
      durability: "batch",
    });
    for (let round = 0; round < 6; round++) {
      const puts = Array.from(
        { length: 40 },
        (_, at) => log.put(`k${at}`, frameOf(`k${at}`, round * 100 + at, 1500), Infinity),
      );
      if (round % 2 === 1) fs.rmSync(directory, { recursive: true, force: true });
      await Promise.all(puts);
      time.advance(POLL_MS);
      for (let at = 0; at < 40; at++) {
        const found = await readVersion(log, `k${at}`);
        assert.ok(found === -1 || found === round * 100 + at, `k${at} holds ${found}`);
      }
      assert.equal(await log.put("last", frameOf("last", round), Infinity), true);
      assert.equal(await readVersion(log, "last"), round);
    }
    await log.close();
    const names = fs.readdirSync(directory);
    assert.equal(names.filter((name) => name.endsWith(".own") || name.endsWith(".tmp")).length, 0);
  }));

test("get() and getMany() that wait for the disk miss when everything is cleared meanwhile", async () => {
  const disk = new MemoryDisk();
  const log = await openLog("/log", {
    fileLayer: disk,
    processTable: new FakeProcesses().spawn(),
    io: "async",
  });
  for (let at = 0; at < 20; at++) await log.put(`k${at}`, frameOf(`k${at}`, at), Infinity);
  await log.flush();
  const found = log.get("k3");
  const many = log.getMany(["k7", "k1", "none"]);
  const cleared = log.clear();
  assert.equal(await found, undefined);
  assert.deepEqual(await many, [undefined, undefined, undefined]);
  assert.equal(await cleared, 20);
  await log.close();
});
