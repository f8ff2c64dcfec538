import assert from "node:assert/strict";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import type { BenchReport } from "../../bench/suite/figure.ts";
import { BenchSession } from "../../bench/suite/session.ts";
import type { RuntimeName } from "../run/runtimes.ts";
import { eventually } from "../servers/eventually.ts";
import { scratchFolder } from "../servers/scratch.ts";

const { path, remove } = scratchFolder("session");
after(remove);

const name: RuntimeName = "Deno" in globalThis
  ? "deno"
  : process.versions["bun"] === undefined
  ? "node"
  : "bun";
const runtimes = [{ name, version: "1.2.3", path: process.execPath }];

/** Writes a bench that records a figure, and then runs a script. */
function bench(title: string, script: string): string {
  const file = join(path, `${title}_bench.ts`);
  const figure = { group: "get", subject: title, metric: "time", unit: "us", value: 1 };
  writeFileSync(
    file,
    `import { appendFileSync } from "node:fs";
import process from "node:process";
appendFileSync(process.env["STRATA_BENCH_FIGURES"]!, '${JSON.stringify({ figure })}\\n');
${script}`,
  );
  return file;
}

describe("a run of benches", () => {
  it("writes what is done after each of them, and keeps it when it is broken off", async () => {
    const files = [
      bench("good", ""),
      bench("bad", "process.exit(3);"),
      bench("endless", "setInterval(() => {}, 1000);"),
      bench("never", ""),
    ];
    const session = new BenchSession({ files, runtimes, isQuick: true });
    const running = session.run({ json: "figures.json", report: undefined, folder: path });
    const json = join(path, "figures.json");
    const read = (file: string): BenchReport => JSON.parse(readFileSync(file, "utf8"));
    await eventually("two of them", () => existsSync(json) && read(json).runs.length === 2);
    // What a kill would leave now.
    copyFileSync(json, join(path, "killed.json"));
    session.interrupt();
    const report = await running;
    assert.equal(session.isInterrupted, true);
    const killed = read(join(path, "killed.json"));
    assert.equal(killed.method.isPartial, true);
    const ended = ({ runs }: BenchReport) =>
      runs.map(({ bench, figures, trouble }) => [
        bench,
        figures.map(({ subject }) => subject),
        trouble,
      ]);
    const done = [["good", ["good"], undefined], ["bad", ["bad"], "ended with exit code 3"]];
    assert.deepEqual(ended(killed), done);
    assert.deepEqual(ended(report).slice(0, 2), done);
    assert.equal(report.runs[2]?.bench, "endless");
    assert.notEqual(report.runs[2]?.trouble, undefined);
    assert.equal(report.runs.length, 3, "no other is begun");
    assert.equal(report.method.isPartial, true);
    assert.deepEqual(read(json), JSON.parse(JSON.stringify(report)));
  });
});
