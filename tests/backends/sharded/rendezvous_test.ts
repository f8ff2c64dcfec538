import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Rendezvous, type Weighted } from "../../../backends/sharded/rendezvous.ts";
import { AWKWARD_KEYS } from "../../backend_suite/keys.ts";

const KEYS = Array.from({ length: 20_000 }, (_, at) => `user:${at}`);

function shards(weights: Readonly<Record<string, number>>): Weighted[] {
  return Object.entries(weights).map(([id, weight]) => ({ id, weight }));
}

function placesIn(weights: Readonly<Record<string, number>>): string[] {
  const placement = new Rendezvous(shards(weights));
  return KEYS.map((key) => placement.shardOf(key).id);
}

function sharesOf(places: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const id of places) counts[id] = (counts[id] ?? 0) + 1 / places.length;
  return counts;
}

describe("Rendezvous", () => {
  it("shardOf() never changes", () => {
    // The first two by a program in another language, from the table above the class.
    const even = new Rendezvous(shards({ "redis-a": 1, "redis-b": 1, "redis-c": 1 }));
    const weighted = new Rendezvous(shards({ "redis-a": 1, "redis-b": 2.5, "redis-c": 0.3 }));
    const letters = (placement: Rendezvous<Weighted>, keys: readonly string[]): string =>
      keys.map((key) => placement.shardOf(key).id.slice(-1)).join("");
    const keys = KEYS.slice(0, 40);
    assert.equal(letters(even, keys), "aaccbacaaabbaccbbbbaababbbabccabccacacab");
    assert.equal(letters(weighted, keys), "aaacbbbababbbabbbbbaabbbbbbbcbabaabbaabb");
    assert.equal(letters(even, AWKWARD_KEYS.slice(0, 20)), "babccbabbacccabacbac");
  });

  it("shardOf() does not depend on the order in which shards are listed", () => {
    const list = shards({ a: 1, b: 2, c: 1, d: 0.5 });
    const [left, right] = [new Rendezvous(list), new Rendezvous(list.toReversed())];
    for (const key of [...KEYS.slice(0, 2000), ...AWKWARD_KEYS]) {
      assert.equal(left.shardOf(key), right.shardOf(key));
    }
  });

  it("shardOf() gives each shard its share by weight", () => {
    for (
      const weights of [
        { a: 1, b: 1 },
        { a: 1, b: 1, c: 1, d: 1, e: 1 },
        { "10.0.0.1:6379": 1, "10.0.0.2:6379": 1, "10.0.0.3:6379": 1 },
        { a: 1, b: 2, c: 5 },
        { small: 0.001, large: 1000 },
      ]
    ) {
      const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
      const shares = sharesOf(placesIn(weights));
      for (const [id, weight] of Object.entries(weights)) {
        const share = shares[id] ?? 0;
        // Five standard deviations of a draw by chance.
        const expected = weight / total;
        const margin = 5 * Math.sqrt(expected * (1 - expected) / KEYS.length);
        assert.ok(Math.abs(share - expected) <= margin, `${id} has ${share} of ${expected}`);
      }
    }
  });

  it("a shard that comes takes its share, one that goes leaves its own, and no other key moves", () => {
    for (
      const [few, many, added] of [
        [{ a: 1, b: 1, c: 1 }, { a: 1, b: 1, c: 1, d: 1 }, "d"],
        [{ a: 1, b: 2 }, { a: 1, b: 2, c: 1 }, "c"],
        // From the plain form to the weighted one.
        [{ a: 1, b: 1 }, { a: 1, b: 1, c: 2 }, "c"],
      ] as const
    ) {
      const [before, after] = [placesIn(few), placesIn(many)];
      for (const [at, id] of after.entries()) {
        assert.ok(
          id === before[at] || id === added,
          `${KEYS[at]} moved from ${before[at]} to ${id}`,
        );
      }
    }
    const moved = placesIn({ a: 1, b: 1, c: 1, d: 1 }).filter((id) => id === "d").length;
    assert.ok(Math.abs(moved / KEYS.length - 1 / 4) < 0.02, `${moved} moved`);
  });
});
