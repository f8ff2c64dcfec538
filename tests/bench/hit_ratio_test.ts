import fc from "fast-check";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { beladyHitRatio } from "../../bench/hit_ratio/belady.ts";
import { generatedStreams } from "../../bench/hit_ratio/generated.ts";
import { regretOf, type Row } from "../../bench/hit_ratio/regrets.ts";
import { countKeys } from "../../bench/hit_ratio/stream.ts";
import { traceStreams } from "../../bench/hit_ratio/traces.ts";

/** The most hits of any way to keep keys, found by trying all. */
function mostHits(requests: readonly number[], entries: number): number {
  const known = new Map<string, number>();
  const from = (at: number, held: readonly number[]): number => {
    if (at === requests.length) return 0;
    const state = `${at}:${held.join()}`;
    const before = known.get(state);
    if (before !== undefined) return before;
    const key = requests[at]!;
    const isHit = held.includes(key);
    const all = isHit ? held : [...held, key].toSorted();
    const choices = all.length <= entries
      ? [all]
      : all.map((victim) => all.filter((other) => other !== victim));
    const most = (isHit ? 1 : 0) + Math.max(...choices.map((choice) => from(at + 1, choice)));
    known.set(state, most);
    return most;
  };
  return from(0, []);
}

describe("beladyHitRatio()", () => {
  it("is what the best of all ways to evict reaches", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(5), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 3 }),
        (requests, entries) => {
          const ratio = beladyHitRatio(Uint32Array.from(requests), entries);
          assert.equal(Math.round(ratio * requests.length / 100), mostHits(requests, entries));
        },
      ),
    );
  });
});

describe("regretOf()", () => {
  it("compares with the best known, LRU, the optimum and the reference", () => {
    const hitRatios = { lru: 10, auto: 30 } as Row["hitRatios"];
    const worse = { lru: 50, auto: 46 } as Row["hitRatios"];
    const rows: Row[] = [
      { stream: "a", entries: 1, hitRatios, best: 31, belady: 40, wTinyLfu: 29 },
      { stream: "b", entries: 1, hitRatios: worse, best: 51, belady: 60 },
    ];
    assert.deepEqual(regretOf("auto", rows), {
      mean: 3,
      worst: 5,
      belowLru: 4,
      belowBelady: 12,
      belowWTinyLfu: -1,
    });
  });
});

describe("generatedStreams()", () => {
  it("makes as many requests as it is asked for, the same each time", () => {
    const [once, again] = [generatedStreams(2000), generatedStreams(2000)];
    for (const [at, { name, requests, sizes }] of once.entries()) {
      assert.equal(requests.length, 2000, name);
      assert.deepEqual(requests, again[at]!.requests, name);
      assert.ok(sizes.length > 0 && countKeys(requests) > 1, name);
    }
  });
});

describe("traceStreams()", () => {
  it("reads key numbers and what the reference knows of them", () => {
    const folder = mkdtempSync(join(tmpdir(), "strata-traces-"));
    try {
      const numbers = new Uint8Array(12);
      new DataView(numbers.buffer).setUint32(4, 70_000, true);
      writeFileSync(join(folder, "a.u32.gz"), gzipSync(numbers));
      writeFileSync(join(folder, "b.u32.gz"), gzipSync(numbers));
      writeFileSync(
        join(folder, "reference.csv"),
        "trace,size,WTLFU1,WTLFU20,WTLFU40,reactive,density1,density20,best,belady\n" +
          "a,2,1,2,7,3,4,5,8,9\n",
      );
      const [a, b, ...others] = [...traceStreams(folder, () => true)];
      assert.deepEqual(a!.requests, Uint32Array.of(0, 70_000, 0));
      assert.deepEqual(a!.sizes, [{ entries: 2, best: 8, belady: 9, wTinyLfu: 7 }]);
      assert.equal(b!.name, "b");
      assert.ok(b!.sizes.every(({ entries, best }) => entries >= 1 && best === undefined));
      assert.deepEqual(others, []);
      assert.equal([...traceStreams(folder, (name) => name === "b")].length, 1);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
