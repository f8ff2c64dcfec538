import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chartsOf } from "../../bench/report/charts.ts";
import { escapeHtml, html } from "../../bench/report/html.ts";
import {
  type BenchReport,
  beyondGoal,
  type Figure,
  ratioOf,
  showValue,
} from "../../bench/suite/figure.ts";
import { pageOf } from "../../bench/report/page.ts";
import { TimeLeft } from "../../bench/suite/plan.ts";

const figure = (some: Partial<Figure>): Figure => ({
  group: "get, 6 KB",
  subject: "ours",
  metric: "p50",
  unit: "us",
  value: 1,
  ...some,
});

describe("figures", () => {
  it("have a ratio to their floor that grows with what they cost", () => {
    const floor = figure({ subject: "floor", value: 2 });
    assert.equal(ratioOf(figure({ value: 3, floor: "floor" }), [floor]), 1.5);
    const speed = { unit: "MB/s", floor: "floor" } as const;
    assert.equal(ratioOf(figure({ value: 1, ...speed }), [{ ...floor, unit: "MB/s" }]), 2);
    assert.equal(ratioOf(figure({ floor: "gone" }), [floor]), undefined);
    assert.equal(ratioOf(figure({ floor: "floor", group: "set" }), [floor]), undefined);
  });

  it("keep their goal, or are beyond it by a share of its limit", () => {
    const all = [figure({ subject: "floor", value: 2 })];
    const ours = (value: number): Figure =>
      figure({ value, floor: "floor", goal: { of: "ratio", atMost: 2 } });
    assert.equal(beyondGoal(ours(4), all), 0);
    assert.equal(beyondGoal(ours(5), all), 0.25);
    assert.equal(beyondGoal(ours(4), []), undefined);
    assert.equal(beyondGoal(figure({}), all), undefined);
    const least = (value: number): Figure => figure({ value, goal: { of: "value", atLeast: 90 } });
    assert.equal(beyondGoal(least(90), []), 0);
    assert.equal(beyondGoal(least(60), []), 0.5);
  });

  it("are shown with three significant digits", () => {
    const shown = [0.0512, 1.234, 56.78, 6144, 1_234_567].map((value) => showValue(value, "us"));
    assert.deepEqual(shown, ["0.051 µs", "1.23 µs", "56.8 µs", "6,144 µs", "1,234,567 µs"]);
  });
});

describe("chartsOf()", () => {
  it("puts together what may be compared: one topic of one bench, latencies in one", () => {
    const run = (runtime: string): BenchReport["runs"][number] => ({
      bench: "tiers",
      runtime,
      seconds: 1,
      notes: [],
      figures: [
        figure({}),
        figure({ metric: "p99", value: 9 }),
        figure({ group: "get, 100 B" }),
        figure({ group: "set, 6 KB" }),
        figure({ metric: "throughput", unit: "op/s" }),
      ],
    });
    const report = { method: {} as BenchReport["method"], runs: [run("deno"), run("bun")] };
    const charts = chartsOf(report);
    assert.deepEqual(charts.map(({ id, figures }) => [id, figures.length]), [
      ["tiers-get-p50", 6],
      ["tiers-set-p50", 2],
      ["tiers-get-throughput", 2],
    ]);
  });
});

describe("html", () => {
  it("escapes strings, and takes arrays for HTML", () => {
    assert.equal(escapeHtml(`<a title="x&y">`), "&#60;a title=&#34;x&#38;y&#34;&#62;");
    assert.equal(html`<p>${"<b>"}${["<i>", "</i>"]}</p>`, "<p>&#60;b&#62;<i>\n</i></p>");
  });
});

describe("TimeLeft", () => {
  it("corrects the plan by what the finished ones took", () => {
    const left = new TimeLeft([10, 20, 30]);
    assert.equal(left.toString(), "about 60 s");
    left.done(10, 20);
    assert.equal(left.toString(), "about 2 min");
    left.done(20, 10);
    assert.equal(left.toString(), "about 30 s");
  });
});

describe("pageOf()", () => {
  const pageWith = (figures: readonly Figure[]): string =>
    pageOf({
      method: {
        date: "2026-01-02T03:04:05Z",
        machine: "a <machine>",
        runtimes: { deno: "1" },
        packages: {},
        load: [0, 0],
      } as unknown as BenchReport["method"],
      runs: [{ bench: "memory_hit", runtime: "deno", seconds: 1, notes: [], figures }],
    }, []);
  const hit = figure({
    group: "hit, awaited",
    subject: "CacheManager get, with a TTL",
    metric: "time",
    unit: "ns",
    value: 150,
    floor: "floor",
    goal: { of: "ratio", atMost: 2 },
  });
  const floor = (value: number): Figure => ({ ...figure({ ...hit, subject: "floor" }), value });

  it("begins with what README shows, and tells how far goals are missed", () => {
    const page = pageWith([hit, floor(50)]);
    assert.match(page, /At a glance[^]*<td class="text">memory hit, <code>await cache.get<\/code>/);
    assert.match(page, /3\.00 × an async function/);
    assert.match(page, /0 of 1 kept/);
    assert.match(page, /<td>50\.0 %<\/td>/);
    assert.ok(page.includes("a &#60;machine&#62;") && !page.includes("disk tier, set"));
  });

  it("has no place for what was not measured", () => {
    const page = pageWith([figure({})]);
    assert.ok(!page.includes("At a glance") && !page.includes("<h2>Goals</h2>"));
  });
});
