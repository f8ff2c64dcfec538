import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { extractFigures, fillReadme } from "../../bench/readme/fill_readme.ts";
import { lookupIn, measuredRows, type ReadmeTable } from "../../bench/readme/tables.ts";
import type { BenchReport, Figure } from "../../bench/suite/figure.ts";

const floor: Figure = { group: "get", subject: "map", metric: "time", unit: "us", value: 2 };
const ours: Figure = { ...floor, subject: "ours", value: 3, floor: "map" };
const other: Figure = { ...floor, subject: "other" };

const report: BenchReport = {
  method: {
    date: "2026-01-02T03:04:05Z",
    machine: "a machine",
    cores: 2,
    runtimes: { deno: "1", bun: "2", node: "3" },
    load: [0.5, 2],
  } as unknown as BenchReport["method"],
  runs: ["deno", "bun"].map((runtime) => ({
    bench: "toy",
    runtime,
    seconds: 1,
    notes: ["a note"],
    figures: [floor, { ...ours, value: runtime === "bun" ? 4 : 3 }, other],
  })),
};

const figure = { bench: "toy", group: "get", subject: "ours", metric: "time" };
const tables: readonly ReadmeTable[] = [{
  name: "toy",
  headings: ["what", "time", "ratio"],
  rows: [["a get", { figure }, { figure, as: "ratio", of: "a map" }]],
}];

const README = `# Title
<!-- figures: method -->
old
<!-- end of figures -->
between
<!-- figures: toy -->
old
<!-- end of figures -->
end
`;

describe("fillReadme()", () => {
  it("writes the figures of all runtimes between the marks, and nothing else", () => {
    const filled = fillReadme(README, report, tables);
    assert.match(filled, /\| a get \| 3\.00 \/ 4\.00 \/ – µs \| 1\.50 \/ 2\.00 \/ – × a map \|/);
    assert.match(filled, /Deno 1 \/ Bun 2 \/ Node 3, 2026-01-02, load 0\.5 before and 2\.0 after/);
    assert.ok(!filled.includes("old"));
    assert.ok(filled.startsWith("# Title\n") && filled.endsWith("<!-- end of figures -->\nend\n"));
    assert.equal(fillReadme(filled, report, tables), filled);
  });

  it("refuses a README without the place, and figures that were not measured", () => {
    assert.throws(() => fillReadme("# Title", report, tables), /no place for "method"/);
    const none = { ...report, runs: [] };
    assert.throws(() => fillReadme(README, none, tables), /no figure "toy: get: ours, time"/);
  });
});

describe("extractFigures()", () => {
  it("keeps what README shows and its floors", () => {
    const kept = extractFigures(report, tables);
    const subjects = kept.runs[0]!.figures.map(({ subject }) => subject);
    assert.deepEqual(subjects, ["map", "ours"]);
    assert.equal(fillReadme(README, kept, tables), fillReadme(README, report, tables));
  });
});

describe("measuredRows()", () => {
  it("leaves out what was not measured, and runtimes that did not run", () => {
    const unknown = { ...figure, subject: "unknown" };
    const table = {
      ...tables[0]!,
      rows: [...tables[0]!.rows, ["no get", { figure: unknown }, ""]],
    };
    assert.deepEqual(measuredRows(table, lookupIn(report), ["bun", "deno"]), [
      ["a get", "4.00 / 3.00 µs", "2.00 / 1.50 × a map"],
    ]);
  });
});
