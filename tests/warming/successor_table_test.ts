import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SuccessorTable, Trail } from "../../src/warming/successor_table.ts";
import { freshSeed, seededRandom } from "../fakes/seeded_random.ts";

const ROOM = 1024 * 1024;

function learned(table: SuccessorTable, keys: readonly string[], trail = new Trail()): void {
  for (const key of keys) table.learn(key, trail);
}

function names(table: SuccessorTable, key: string): string[] {
  return table.successorsOf(key, 2, 0.5).map((next) => next.key);
}

describe("SuccessorTable", () => {
  it("successorsOf() gives what followed each time, and nothing before it has done so twice", () => {
    const table = new SuccessorTable(ROOM);
    const trail = new Trail();
    learned(table, ["a", "b", "1", "2", "3", "4", "5", "6", "7", "a"], trail);
    assert.deepEqual(names(table, "a"), []);
    learned(table, ["b", "8", "9", "10", "11", "12", "13", "a"], trail);
    assert.deepEqual(table.successorsOf("a", 2, 0.5), [{ key: "b", confidence: 1 }]);
  });

  it("successorsOf() leaves out what followed too seldom", () => {
    const table = new SuccessorTable(ROOM);
    const trail = new Trail();
    for (let round = 0; round < 8; round++) {
      const filling = Array.from({ length: 6 }, (_, at) => `${round}.${at}`);
      learned(table, round < 2 ? ["a", "b", ...filling] : ["a", ...filling], trail);
    }
    learned(table, ["a"], trail);
    assert.deepEqual(table.successorsOf("a", 2, 0.2).map(({ key }) => key), ["b"]);
    assert.deepEqual(names(table, "a"), []);
  });

  it("a new habit takes the place of an old one", () => {
    const table = new SuccessorTable(ROOM);
    const trail = new Trail();
    for (let round = 0; round < 30; round++) learned(table, ["a", "b", "c", "d", "e"], trail);
    for (let round = 0; round < 60; round++) learned(table, ["a", "v", "w", "x", "y"], trail);
    const after = names(table, "a");
    assert.ok(after.includes("v") && after.includes("w") && !after.includes("b"), after.join());
  });

  it("what it takes stays within its limit, however long the keys", () => {
    const table = new SuccessorTable(100_000);
    const trail = new Trail();
    for (let at = 0; at < 20_000; at++) {
      table.learn(`${at}${"k".repeat(at % 300)}`, trail);
      assert.ok(table.bytes <= 100_000, `${table.bytes}`);
    }
    table.learn("k".repeat(100_000), trail);
    assert.deepEqual(table.successorsOf("k".repeat(100_000), 1, 0), []);
    assert.ok(table.size > 0 && table.size <= table.capacity);
  });

  it("keeps what it has learned when it grows, with the trails begun before", () => {
    const table = new SuccessorTable(ROOM);
    const trail = new Trail();
    const { capacity } = table;
    for (let round = 0; round < 3; round++) {
      for (let at = 0; at < 100; at++) learned(table, [`a ${at}`, `b ${at}`], trail);
    }
    for (let at = 0; at < 4 * capacity; at++) table.learn(`other ${at}`, trail);
    assert.ok(table.capacity > 4 * capacity);
    let known = 0;
    for (let at = 0; at < 100; at++) if (names(table, `a ${at}`).includes(`b ${at}`)) known++;
    assert.ok(known >= 80, `${known}`);
    assert.ok(table.bytes <= ROOM);
  });

  it("restore() takes in the rows of another, also of another size", () => {
    const table = new SuccessorTable(ROOM);
    const trail = new Trail();
    const keys = Array.from({ length: 3000 }, (_, at) => `key ${at}`);
    for (let round = 0; round < 3; round++) learned(table, keys, trail);
    const rows = [...table.rows()];
    const [same, smaller] = [new SuccessorTable(ROOM), new SuccessorTable(30_000)];
    same.restore(rows);
    assert.deepEqual(
      names(same, "key 5").toSorted(),
      names(table, "key 5").toSorted(),
    );
    assert.ok(names(same, "key 5").includes("key 6"));
    smaller.restore(rows);
    assert.ok(smaller.bytes <= 30_000 && smaller.size < 3000);
    assert.ok(names(smaller, "key 2990").includes("key 2991"));
  });

  const seed = freshSeed();
  it(`counts no more than a model that forgets nothing (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const table = new SuccessorTable(20_000);
    const trail = new Trail();
    const follows = new Map<string, number>();
    const past: string[] = [];
    for (let step = 0; step < 20_000; step++) {
      const key = `key ${Math.floor(random() ** 2 * 600)}`;
      table.learn(key, trail);
      for (const before of new Set(past.slice(-6))) {
        const pair = `${before}>${key}`;
        follows.set(
          pair,
          (follows.get(pair) ?? 0) + past.slice(-6).filter((k) => k === before).length,
        );
      }
      past.push(key);
      for (const next of table.successorsOf(key, 2, 0.1)) {
        assert.notEqual(next.key, key);
        assert.ok((follows.get(`${key}>${next.key}`) ?? 0) >= 2, `${key} > ${next.key}`);
        assert.ok(next.confidence > 0 && next.confidence <= 1);
      }
    }
  });
});
