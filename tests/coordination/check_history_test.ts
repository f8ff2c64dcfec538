import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkHistory, type Said, STALENESS_MS } from "./processes/check_history.ts";

/** A time after which all that began at 0 is over, and known everywhere. */
const LATE = STALENESS_MS + 2000;

const first: Said = ["set", "k", "1", 0, 10];
const second: Said = ["set", "k", "2", 1000, 1010];
const removal: Said = ["delete", "k", null, 1000, 1010];

describe("A history is allowed", () => {
  const allowed: Record<string, Said[]> = {
    "where a read gives what was set": [first, ["get", "k", "1", 20, 30]],
    "where a read overlaps the set": [first, ["get", "k", null, 5, 6], ["get", "k", "1", 5, 6]],
    "where a read is stale for less than messages may take": [
      first,
      second,
      ["get", "k", "1", 2000, 2001],
    ],
    "where sets overlap and either is left": [
      first,
      ["set", "k", "2", 5, 12],
      ["last", "k", "1", 0, 0],
      ["last", "k", "1", 0, 0],
    ],
    "where a delete explains a miss": [first, removal, ["get", "k", null, LATE, LATE + 1]],
    "where a delete beats a set that came soon after it": [
      ["delete", "k", null, 0, 10],
      ["set", "k", "1", 200, 210],
      ["get", "k", null, LATE, LATE + 1],
      ["last", "k", null, 0, 0],
    ],
  };
  for (const [name, said] of Object.entries(allowed)) {
    it(name, () => {
      checkHistory(said);
    });
  }
  it("and counts what it looked at", () => {
    const said: Said[] = [first, removal, ["get", "k", "1", 20, 30], [
      "get",
      "k",
      null,
      LATE,
      LATE,
    ]];
    assert.deepEqual(checkHistory(said), { hits: 1, misses: 1 });
  });
});

describe("A history is refused", () => {
  const refused: Record<string, [said: Said[], reason: RegExp]> = {
    "where a read gives what nobody set": [[first, ["get", "k", "7", 20, 30]], /nobody set/],
    "where a read gives the value of another key": [
      [first, ["set", "other", "2", 0, 10], ["get", "k", "2", 20, 30]],
      /nobody set/,
    ],
    "where a read gives what is set later": [
      [["get", "k", "2", 100, 110], second],
      /before it was set/,
    ],
    "where a read gives what was overwritten long ago": [
      [first, second, ["get", "k", "1", LATE, LATE + 1]],
      /replaced 3990 ms before/,
    ],
    "where a read gives what was deleted long ago": [
      [first, removal, ["get", "k", "1", LATE, LATE + 1]],
      /replaced 3990 ms before/,
    ],
    "where a read gives nothing and nobody deleted": [
      [first, ["get", "k", null, LATE, LATE + 1]],
      /gave nothing/,
    ],
    "where a read gives nothing and the delete was long before the set": [
      [["delete", "k", null, 0, 10], second, ["get", "k", null, LATE, LATE + 1]],
      /gave nothing/,
    ],
    "where processes disagree in the end": [
      [first, ["set", "k", "2", 5, 12], ["last", "k", "1", 0, 0], ["last", "k", "2", 0, 0]],
      /is 1 and 2 in the end/,
    ],
    "where one has nothing in the end": [
      [first, removal, ["last", "k", "1", 0, 0], ["last", "k", null, 0, 0]],
      /is 1 and {2}in the end/,
    ],
    "where all have what was replaced": [
      [first, second, ["last", "k", "1", 0, 0]],
      /which was replaced/,
    ],
    "where what was set last is gone": [
      [removal, ["set", "k", "3", 2000, 2010], ["last", "k", null, 0, 0]],
      /is nothing in the end/,
    ],
  };
  for (const [name, [said, reason]] of Object.entries(refused)) {
    it(name, () => assert.throws(() => checkHistory(said), { message: reason }));
  }
});
