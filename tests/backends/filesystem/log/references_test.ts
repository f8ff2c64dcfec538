import assert from "node:assert/strict";
import { test } from "node:test";
import type { SegmentLog } from "../../../../backends/filesystem/log/segment_log.ts";
import { FakeProcesses, MemoryDisk } from "./memory_disk.ts";
import { frameOf, openLog, readVersion } from "./helpers.ts";

const DIRECTORY = "/log";
const LIMIT = 1024 * 1024;
const FILE_BYTES = 80_000;

/** Files beside a log, as a backend keeps them. */
class Files {
  readonly sizes = new Map<string, number>();
  log: SegmentLog | undefined;

  get bytes(): number {
    return this.sizes.size * Math.ceil(FILE_BYTES / 4096) * 4096;
  }

  readonly external = {
    measure: (): number => this.bytes,
    drop: (body: Uint8Array): void => {
      const name = new TextDecoder().decode(body);
      if (this.sizes.delete(name)) this.log!.release(FILE_BYTES);
    },
  };

  async put(key: string, name: string): Promise<boolean> {
    if (!await this.log!.reserve(FILE_BYTES)) return false;
    this.sizes.set(name, FILE_BYTES);
    const body = new TextEncoder().encode(name);
    return await this.log!.putReference(key, { body, fileBytes: FILE_BYTES }, Infinity);
  }
}

async function nameOf(log: SegmentLog, key: string): Promise<string | undefined> {
  const entry = await log.get(key);
  if (entry !== undefined) assert.equal(entry.isReference, true);
  return entry === undefined ? undefined : new TextDecoder().decode(entry.body);
}

test("a reference is kept, and dropped when it is replaced, deleted, expired or cleared", async () => {
  const disk = new MemoryDisk();
  const files = new Files();
  let now = 1_000_000;
  const clock = { now: () => now, recent: () => now, schedule: () => () => {} };
  const log = files.log = await openLog(DIRECTORY, {
    fileLayer: disk,
    external: files.external,
    clock,
  });
  await files.put("a", "a1");
  await files.put("b", "b1");
  await files.put("c", "c1");
  await files.put("d", "d1");
  assert.equal(await nameOf(log, "a"), "a1");
  await files.put("a", "a2");
  await log.put("b", frameOf("b", 1), Infinity);
  await log.delete("c");
  await log.putReference(
    "e",
    { body: new TextEncoder().encode("e1"), fileBytes: FILE_BYTES },
    now + 10,
  );
  files.sizes.set("e1", FILE_BYTES);
  now += 10;
  assert.equal(await log.get("e"), undefined);
  await log.flush();
  assert.deepEqual([...files.sizes.keys()].sort(), ["a2", "d1"]);
  assert.deepEqual(
    log.references().map((body) => new TextDecoder().decode(body)).sort(),
    ["a2", "d1"],
  );
  await log.close();

  const again = files.log = await openLog(DIRECTORY, {
    fileLayer: disk,
    external: files.external,
    clock,
  });
  assert.equal(await nameOf(again, "a"), "a2");
  assert.equal(await readVersion(again, "b"), 1);
  assert.equal(again.has("c"), false);
  assert.equal(again.has("e"), false);
  assert.equal(await again.clear(), 3);
  assert.equal(files.sizes.size, 0);
  await again.close();
});

test("log and referenced files keep within one limit together", async () => {
  const disk = new MemoryDisk();
  const files = new Files();
  const log = files.log = await openLog(DIRECTORY, {
    fileLayer: disk,
    external: files.external,
    maxBytes: LIMIT,
  });
  for (let at = 0; at < 300; at++) {
    if (at % 3 === 0) assert.equal(await files.put(`file${at}`, `file${at}`), true, `file ${at}`);
    await log.put(`k${at}`, frameOf(`k${at}`, at, 4000), Infinity);
    await log.flush();
    const used = disk.usage + files.bytes;
    assert.ok(used <= LIMIT, `${used} bytes after ${at}`);
  }
  assert.ok(files.sizes.size >= 4, `only ${files.sizes.size} files are left`);
  for (const name of files.sizes.keys()) assert.equal(await nameOf(log, name), name);
  assert.equal(await log.reserve(2 * LIMIT), false);
  await log.close();
});

test("a reference that was evicted stays so after a restart", async () => {
  const disk = new MemoryDisk();
  const files = new Files();
  const options = { fileLayer: disk, external: files.external, maxEntries: 3 };
  const log = files.log = await openLog(DIRECTORY, options);
  for (let at = 0; at < 6; at++) await files.put(`f${at}`, `f${at}`);
  await log.flush();
  assert.deepEqual([...files.sizes.keys()], ["f3", "f4", "f5"]);
  const killed = disk.copy((path) => !path.endsWith(".own"));
  const again = files.log = await openLog(DIRECTORY, {
    ...options,
    fileLayer: killed,
    processTable: new FakeProcesses().spawn(),
  });
  for (let at = 0; at < 6; at++) {
    assert.equal(await nameOf(again, `f${at}`), at < 3 ? undefined : `f${at}`);
  }
  await again.close();
  await log.close();
});
