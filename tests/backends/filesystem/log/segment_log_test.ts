import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import { frameOf, openLog, readVersion, versionOf, withDirectory } from "./helpers.ts";

const ODD_KEYS = [
  "",
  "a",
  "A",
  "a/b",
  "..",
  "../../etc/passwd",
  "nul\0key",
  "ümläut",
  "u\u0308",
  "ü",
  "\ud800",
  "\udc00\ud800",
  "😀",
  "x".repeat(1000),
  "key?query",
  "*",
];

test("get() finds what put() stored, before and after it is written and after a restart", async () => {
  await withDirectory(async (directory) => {
    const log = await openLog(directory);
    for (const [at, key] of ODD_KEYS.entries()) {
      assert.equal(await log.put(key, frameOf(key, at), Infinity), true);
      assert.equal(await readVersion(log, key), at);
    }
    await log.flush();
    for (const [at, key] of ODD_KEYS.entries()) assert.equal(await readVersion(log, key), at);
    await log.close();

    const again = await openLog(directory);
    for (const [at, key] of ODD_KEYS.entries()) assert.equal(await readVersion(again, key), at);
    assert.equal(await again.get("missing"), undefined);
    const keys: string[] = [];
    for await (const key of again.keys()) keys.push(key);
    assert.deepEqual(keys.sort(), [...ODD_KEYS].sort());
    await again.close();
    assert.deepEqual(again.reports, []);
  });
});

test("put() replaces, delete() removes and clear() removes all, also after a restart", async () => {
  await withDirectory(async (directory) => {
    const log = await openLog(directory);
    for (let at = 0; at < 10; at++) await log.put(`k${at}`, frameOf(`k${at}`, at), Infinity);
    await log.put("k1", frameOf("k1", 100), Infinity);
    assert.equal(await log.delete("k2"), true);
    assert.equal(await log.delete("k2"), false);
    assert.equal(await log.delete("nothing"), false);
    await log.close();

    const second = await openLog(directory);
    assert.equal(await readVersion(second, "k1"), 100);
    assert.equal(second.has("k2"), false);
    assert.equal(await second.clear((key) => key === "k3" || key === "k4"), 2);
    assert.equal(second.stats().entries, 7);
    await second.close();

    const third = await openLog(directory);
    assert.equal(third.has("k3"), false);
    assert.equal(third.has("k5"), true);
    assert.equal(await third.clear(), 7);
    assert.equal(third.stats().entries, 0);
    await third.put("k9", frameOf("k9", 200), Infinity);
    await third.close();

    const fourth = await openLog(directory);
    assert.equal(fourth.stats().entries, 1);
    assert.equal(await readVersion(fourth, "k9"), 200);
    await fourth.close();
  });
});

test("getMany() keeps the order of its keys and reads what is in memory and on disk", async () => {
  await withDirectory(async (directory) => {
    const log = await openLog(directory);
    for (let at = 0; at < 100; at++) await log.put(`k${at}`, frameOf(`k${at}`, at, 3000), Infinity);
    await log.flush();
    await log.put("fresh", frameOf("fresh", 7), Infinity);
    const keys = ["k70", "missing", "fresh", "k3", "k4", "k3", "k99"];
    const found = await log.getMany(keys);
    assert.deepEqual(
      found.map((entry, at) => versionOf(keys[at]!, entry)),
      [70, -1, 7, 3, 4, 3, 99],
    );
    await log.close();
  });
});

test("an entry is a miss from its expiry on, also after a restart", async () => {
  await withDirectory(async (directory) => {
    let now = 1_000_000;
    const clock = { now: () => now, recent: () => now, schedule: () => () => {} };
    const log = await openLog(directory, { clock });
    await log.put("short", frameOf("short", 1), now + 1000);
    await log.put("long", frameOf("long", 2), now + 5000);
    now += 999;
    assert.equal(log.has("short"), true);
    now += 1;
    assert.equal(log.has("short"), false);
    assert.equal(await log.get("short"), undefined);
    await log.close();
    const again = await openLog(directory, { clock });
    assert.equal(await again.get("short"), undefined);
    assert.equal(await readVersion(again, "long"), 2);
    await again.close();
  });
});

test("open() reads segments without hints, and writes them", async () => {
  await withDirectory(async (directory) => {
    const log = await openLog(directory, { segmentBytes: 64 * 1024 });
    for (let at = 0; at < 200; at++) await log.put(`k${at}`, frameOf(`k${at}`, at, 1000), Infinity);
    await log.close();
    for (const name of fs.readdirSync(directory)) {
      if (name.endsWith(".hint")) fs.unlinkSync(`${directory}/${name}`);
    }
    const again = await openLog(directory);
    for (let at = 0; at < 200; at++) assert.equal(await readVersion(again, `k${at}`), at);
    const names = fs.readdirSync(directory);
    assert.equal(
      names.filter((name) => name.endsWith(".hint")).length,
      names.filter((name) => name.endsWith(".seg")).length,
    );
    await again.close();
  });
});

test("asynchronous reads find the same as synchronous ones", async () => {
  await withDirectory(async (directory) => {
    const log = await openLog(directory, { io: "async" });
    for (let at = 0; at < 50; at++) await log.put(`k${at}`, frameOf(`k${at}`, at, 2000), Infinity);
    await log.flush();
    const keys = Array.from({ length: 50 }, (_, at) => `k${at}`);
    for (const [at, key] of keys.entries()) assert.equal(await readVersion(log, key), at);
    const found = await log.getMany(keys);
    assert.deepEqual(
      found.map((entry, at) => versionOf(keys[at]!, entry)),
      keys.map((_, at) => at),
    );
    await log.close();
  });
});
