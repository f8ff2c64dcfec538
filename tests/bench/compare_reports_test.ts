import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareReports } from "../../bench/suite/compare_reports.ts";
import type { BenchReport, Figure } from "../../bench/suite/figure.ts";

function report(...figures: Partial<Figure>[]): BenchReport {
  return {
    method: {} as BenchReport["method"],
    runs: [{
      bench: "toy",
      runtime: "deno",
      seconds: 1,
      notes: [],
      figures: figures.map((figure) => ({
        group: "get",
        subject: "ours",
        metric: "time",
        unit: "us",
        value: 1,
        ...figure,
      })),
    }],
  };
}

function verdicts(before: BenchReport, after: BenchReport): string[] {
  return compareReports(before, after).map(({ verdict }) => verdict);
}

describe("compareReports()", () => {
  it("tells better from worse, and knows that more speed is better", () => {
    assert.deepEqual(verdicts(report({ value: 1 }), report({ value: 2 })), ["worse"]);
    assert.deepEqual(verdicts(report({ value: 2 }), report({ value: 1 })), ["better"]);
    const speed = (value: number): BenchReport => report({ value, unit: "op/s" });
    assert.deepEqual(verdicts(speed(100), speed(200)), ["better"]);
    assert.deepEqual(verdicts(speed(200), speed(100)), ["worse"]);
    const ratio = (value: number): BenchReport => report({ value, unit: "x", better: "more" });
    assert.deepEqual(verdicts(ratio(2), ratio(4)), ["better"]);
    assert.deepEqual(verdicts(ratio(4), ratio(2)), ["worse"]);
  });

  it("says nothing of what is within the noise of either run", () => {
    assert.deepEqual(verdicts(report({ value: 1 }), report({ value: 1.09 })), ["same"]);
    assert.deepEqual(verdicts(report({ value: 1, spread: 0.5 }), report({ value: 1.4 })), ["same"]);
    assert.deepEqual(verdicts(report({ value: 1 }), report({ value: 1.4, spread: 0.5 })), ["same"]);
    assert.deepEqual(verdicts(report({ value: 0 }), report({ value: 0 })), ["same"]);
  });

  it("compares by the ratio to the floor, so that a slower machine is no regression", () => {
    const run = (floor: number, ours: number): BenchReport =>
      report({ subject: "floor", value: floor, floor: "floor" }, { value: ours, floor: "floor" });
    const [ours] = compareReports(run(1, 2), run(3, 6)).filter(({ unit }) => unit === "×");
    assert.equal(ours?.verdict, "same");
    assert.equal(ours?.before, 2);
    const [slower] = compareReports(run(3, 6), run(1, 3)).filter(({ unit }) => unit === "×");
    assert.equal(slower?.verdict, "worse");
    assert.equal(slower?.change, 0.5);
  });

  it("leaves out what stands in one of them only, and puts the worst first", () => {
    const before = report({ subject: "a", value: 1 }, { subject: "b", value: 1 });
    const after = report(
      { subject: "b", value: 2 },
      { subject: "a", value: 4 },
      { subject: "c", value: 1 },
    );
    assert.deepEqual(compareReports(before, after).map(({ change }) => change), [3, 1]);
  });
});
