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
  return compareReports([before], after).changes.map(({ verdict }) => verdict);
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

  it("says nothing of what is within the noise of both runs", () => {
    const sampled = (value: number, spread = 0.02): BenchReport => report({ value, spread });
    assert.deepEqual(verdicts(sampled(1), sampled(1.19)), ["same"]);
    assert.deepEqual(verdicts(sampled(1), sampled(1.25)), ["worse"]);
    assert.deepEqual(verdicts(sampled(1, 0.5), sampled(1.4)), ["same"]);
    assert.deepEqual(verdicts(sampled(1), sampled(1.4, 0.5)), ["same"]);
    assert.deepEqual(verdicts(report({ value: 1 }), report({ value: 1.35 })), ["same"]);
    assert.deepEqual(verdicts(report({ value: 1 }), report({ value: 1.5 })), ["worse"]);
    assert.deepEqual(verdicts(report({ value: 0 }), report({ value: 0 })), ["same"]);
  });

  it("knows that a few calls decide the last percentiles, and chance a few calls", () => {
    const tail = (value: number): BenchReport => report({ metric: "p99", value });
    assert.deepEqual(verdicts(tail(1), tail(2.9)), ["same"]);
    assert.deepEqual(verdicts(tail(1), tail(3.1)), ["worse"]);
    const calls = (value: number): BenchReport => report({ unit: "calls", value });
    assert.deepEqual(verdicts(calls(1), calls(3)), ["same"]);
    assert.deepEqual(verdicts(calls(100), calls(150)), ["worse"]);
  });

  it("takes no tenth of what is counted, such as bytes, for chance", () => {
    const bytes = (value: number): BenchReport => report({ unit: "bytes", value });
    assert.deepEqual(verdicts(bytes(100), bytes(109)), ["same"]);
    assert.deepEqual(verdicts(bytes(100), bytes(112)), ["worse"]);
  });

  it("compares percentages by points, and shorter times than one can tell not at all", () => {
    const share = (value: number): BenchReport => report({ unit: "%", value });
    assert.deepEqual(verdicts(share(0.1), share(2)), ["same"]);
    assert.deepEqual(verdicts(share(0.1), share(2.2)), ["worse"]);
    const ns = (value: number): BenchReport => report({ unit: "ns", value });
    assert.deepEqual(verdicts(ns(0.1), ns(0.9)), ["same"]);
  });

  const beside = (floor: number, ours: number, ...more: Partial<Figure>[]): BenchReport =>
    report({ subject: "floor", value: floor }, { value: ours, floor: "floor" }, ...more);

  it("compares by the ratio to the floor, so that a slower machine is no regression", () => {
    const { changes, drifts } = compareReports([beside(1, 2)], beside(3, 6));
    const shown = changes.map(({ verdict, before, unit }) => [verdict, before, unit]);
    assert.deepEqual(shown, [["same", 1, "us"], ["same", 2, "×"]]);
    assert.equal(drifts[0]?.title, "toy deno");
    assert.ok(Math.abs(drifts[0].change - 2) < 1e-9);
    const { changes: [slower] } = compareReports([beside(3, 6)], beside(1, 3));
    assert.equal(slower?.verdict, "worse");
    assert.ok(Math.abs(slower.change - 0.5) < 1e-9);
  });

  it("takes the drift of the floors off what has none", () => {
    const bare = (value: number): Partial<Figure> => ({ group: "open", value });
    assert.deepEqual(verdicts(beside(1, 2, bare(10)), beside(3, 6, bare(30))), [
      "same",
      "same",
      "same",
    ]);
    assert.deepEqual(verdicts(beside(1, 2, bare(10)), beside(3, 6, bare(60))), [
      "worse",
      "same",
      "same",
    ]);
  });

  it("trusts no ratio to a floor that went another way than the others, and tells of that", () => {
    const floors = (third: number): BenchReport =>
      report(...[1, 1, third].flatMap((value, at): Partial<Figure>[] => [
        { group: `get ${at}`, subject: "floor", value },
        { group: `get ${at}`, value: 2, floor: "floor" },
      ]));
    const changed = (before: BenchReport, after: BenchReport): string[] =>
      compareReports([before], after).changes.filter(({ verdict }) => verdict !== "same")
        .map(({ title, verdict }) => `${title}: ${verdict}`);
    const floor = "toy deno: get 2: floor, time";
    assert.deepEqual(changed(floors(1), floors(0.4)), [`${floor}: better`]);
    assert.deepEqual(changed(floors(0.4), floors(1)), [`${floor}: worse`]);
  });

  it("counts a change when it is one against each of several earlier reports", () => {
    const [fast, slow] = [report({ value: 1 }), report({ value: 2 })];
    const verdictOf = (value: number): string | undefined =>
      compareReports([fast, slow], report({ value })).changes[0]?.verdict;
    assert.deepEqual([0.5, 1, 1.5, 2, 3].map(verdictOf), [
      "better",
      "same",
      "same",
      "same",
      "worse",
    ]);
  });

  it("leaves out what stands in one of them only, and puts the worst first", () => {
    const before = report({ subject: "a", value: 1 }, { subject: "b", value: 1 });
    const after = report(
      { subject: "b", value: 2 },
      { subject: "a", value: 4 },
      { subject: "c", value: 1 },
    );
    const { changes } = compareReports([before], after);
    assert.deepEqual(changes.map(({ change }) => Math.round(change)), [3, 1]);
  });
});
