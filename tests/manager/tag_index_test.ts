import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type MarkStore, TagIndex } from "../../src/manager/tag_index.ts";
import { entryOf } from "../fakes/entries.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

/** Marks as another process would find them. */
class FakeMarks implements MarkStore {
  readonly marks = new Map<string, number>();
  reads = 0;
  writes = 0;
  isBroken = false;
  /** Reads wait for it, if it is there. */
  gate: Promise<void> | undefined;

  async read(key: string): Promise<number | undefined> {
    this.reads++;
    await this.gate;
    return this.marks.get(key);
  }

  write(key: string, version: number): Promise<boolean> {
    this.writes++;
    if (!this.isBroken) this.marks.set(key, version);
    return Promise.resolve(!this.isBroken);
  }
}

const tagged = (version: number, ...tags: string[]) => entryOf("key", 1, { version, tags });

describe("TagIndex", () => {
  it("an entry is valid once its tags are prepared, and dropped with any of them", async () => {
    for (const store of [undefined, new FakeMarks()]) {
      const index = new TagIndex(new FakeClock(), store);
      const entry = tagged(10, "a", "b");
      assert.equal(await index.isDropped(entry), true, "its marks are unknown");
      await index.prepare(entry);
      assert.equal(await index.isDropped(entry), false);
      assert.equal(index.isDroppedSync(entry), false);
      assert.equal(index.isDroppedAsKnown(entry), false);
      await index.drop("b", 20);
      assert.equal(await index.isDropped(entry), true);
      assert.equal(index.isDroppedSync(entry), true);
      assert.equal(index.isDroppedAsKnown(entry), true);
      assert.equal(await index.isDropped(tagged(21, "b")), false);
    }
  });

  it("a second index over the same store knows the marks", async () => {
    const store = new FakeMarks();
    const clock = new FakeClock();
    const first = new TagIndex(clock, store);
    await first.prepare(tagged(10, "a"));
    const second = new TagIndex(clock, store);
    assert.equal(second.isDroppedSync(tagged(10, "a")), undefined);
    assert.equal(await second.isDropped(tagged(10, "a")), false);
    await first.drop("a", 15);
    assert.equal(await second.isDropped(tagged(10, "a")), false, "checked less than 1 s ago");
    clock.advance(1000);
    assert.equal(second.isDroppedSync(tagged(10, "a")), undefined);
    assert.equal(await second.isDropped(tagged(10, "a")), true);
  });

  it("a drop stays known however long ago it was checked", async () => {
    const clock = new FakeClock();
    const index = new TagIndex(clock, new FakeMarks());
    const entry = tagged(10, "a");
    await index.prepare(entry);
    await index.drop("a", 20);
    clock.advance(60_000);
    assert.equal(index.isDroppedAsKnown(entry), true);
    assert.equal(index.wasDroppedSince(["a"], 10), true);
    assert.equal(index.wasDroppedSince(["a"], 21), false);
    assert.equal(index.wasDroppedSince(["b"], 0), false);
  });

  it("entries with the same new tag, prepared at once in any order, are all valid", async () => {
    for (const versions of [[10, 11, 12], [12, 11, 10], [11, 10, 12]]) {
      const store = new FakeMarks();
      const index = new TagIndex(new FakeClock(), store);
      const entries = versions.map((version) => tagged(version, "a"));
      await Promise.all(entries.map((entry) => index.prepare(entry)));
      for (const entry of entries) assert.equal(await index.isDropped(entry), false);
      const restarted = new TagIndex(new FakeClock(), store);
      for (const entry of entries) assert.equal(await restarted.isDropped(entry), false);
    }
  });

  it("a drop while the first entry of a tag is prepared is not undone by it", async () => {
    const store = new FakeMarks();
    const gate = Promise.withResolvers<void>();
    store.gate = gate.promise;
    const index = new TagIndex(new FakeClock(), store);
    const entry = tagged(10, "a");
    const prepared = index.prepare(entry);
    await index.drop("a", 20);
    gate.resolve();
    await prepared;
    assert.equal(await index.isDropped(entry), true);
    assert.equal(store.marks.size, 1);
    assert.deepEqual([...store.marks.values()], [20]);
  });

  it("an entry made before a drop is dropped although it is prepared after it", async () => {
    const index = new TagIndex(new FakeClock(), new FakeMarks());
    await index.prepare(tagged(5, "a"));
    await index.drop("a", 20);
    await index.prepare(tagged(10, "a"));
    assert.equal(await index.isDropped(tagged(10, "a")), true);
  });

  it("a mark that the store has lost drops its entries for those who do not know it", async () => {
    const store = new FakeMarks();
    const index = new TagIndex(new FakeClock(), store);
    await index.prepare(tagged(10, "a"));
    store.marks.clear();
    assert.equal(await new TagIndex(new FakeClock(), store).isDropped(tagged(10, "a")), true);
  });

  it("a mark that the store has lost is written again with the next entry", async () => {
    const clock = new FakeClock();
    const store = new FakeMarks();
    const index = new TagIndex(clock, store);
    await index.prepare(tagged(10, "a"));
    await index.drop("a", 20);
    const key = [...store.marks.keys()][0]!;
    store.marks.clear();
    index.cleared((candidate) => candidate === key);
    await index.prepare(tagged(30, "a"));
    assert.deepEqual([...store.marks.values()], [20], "told by cleared()");
    store.marks.clear();
    clock.advance(1000);
    await index.prepare(tagged(31, "a"));
    assert.deepEqual([...store.marks.values()], [20], "found out by reading");
  });

  it("a mark that could not be written is written again with the next entry", async () => {
    const store = new FakeMarks();
    store.isBroken = true;
    const index = new TagIndex(new FakeClock(), store);
    await index.drop("a", 20);
    assert.equal(await index.isDropped(tagged(10, "a")), true);
    store.isBroken = false;
    await index.prepare(tagged(30, "a"));
    assert.deepEqual([...store.marks.values()], [20]);
    const writes = store.writes;
    await index.prepare(tagged(31, "a"));
    assert.equal(store.writes, writes);
  });

  it("a drop never lowers a mark that is newer", async () => {
    const store = new FakeMarks();
    const index = new TagIndex(new FakeClock(), store);
    await index.drop("a", 20);
    await index.drop("a", 10);
    assert.equal(await index.isDropped(tagged(15, "a")), true);
    assert.deepEqual([...store.marks.values()], [20]);
  });

  it("marks are read once for all who ask at the same time, and then not for a second", async () => {
    const clock = new FakeClock();
    const store = new FakeMarks();
    await new TagIndex(clock, store).prepare(tagged(1, "a"));
    store.reads = 0;
    const index = new TagIndex(clock, store);
    await Promise.all(Array.from({ length: 5 }, () => index.isDropped(tagged(5, "a"))));
    await index.isDropped(tagged(5, "a"));
    assert.equal(store.reads, 1);
    clock.advance(1000);
    await index.isDropped(tagged(5, "a"));
    assert.equal(store.reads, 2);
  });

  it("knows a bounded number of tags; entries of the others become misses", async () => {
    const index = new TagIndex(new FakeClock(), undefined);
    await index.prepare(tagged(1, "first"));
    for (let at = 0; at < 100_000; at++) await index.drop(`tag ${at}`, 0);
    assert.equal(await index.isDropped(tagged(1, "first")), true);
    assert.equal(index.isDroppedAsKnown(tagged(1, "first")), true);
  });
});
