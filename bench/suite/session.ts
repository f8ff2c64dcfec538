import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import type { Runtime, RuntimeName } from "../../tests/run/runtimes.ts";
import { runCommand } from "../../tests/run/spawn.ts";
import type { BenchReport, BenchRun, Figure, Method } from "./figure.ts";
import { describeMethod, finishMethod } from "./method.ts";
import { plannedSeconds, TimeLeft } from "./plan.ts";
import { startBenchServers } from "./shared_servers.ts";
import { type FigureLine, FIGURES_FILE } from "./record.ts";

/** What is to be run. */
export interface SessionParts {
  /** Paths of benches. */
  readonly files: readonly string[];
  readonly runtimes: readonly Runtime[];
  /** Whether the runs only show that the benches work. */
  readonly isQuick: boolean;
}

/** Where the results go. */
export interface SessionOutputs {
  readonly json: string | undefined;
  readonly report: string | undefined;
  /** The folder that the paths are relative to. */
  readonly folder: string;
}

/** A bench takes no longer than this, in milliseconds. */
const LIMIT_MS = 20 * 60_000;

/** Node, and V8 in Deno, can then be told to collect garbage between measurements. */
const FLAGS: Readonly<Record<RuntimeName, readonly string[]>> = {
  deno: ["run", "-A", "--no-check", "--v8-flags=--expose-gc"],
  bun: ["run", "--expose-gc"],
  node: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
};

/** One call of the bench command: each bench on one runtime after another, so that what drifts on the machine hits all runtimes alike. */
export class BenchSession {
  readonly #parts: SessionParts;
  readonly #runs: BenchRun[] = [];
  readonly #interruption = new AbortController();
  #method: Method;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#method = describeMethod(
      Object.fromEntries(parts.runtimes.map(({ name, version }) => [name, version])),
      parts.isQuick,
    );
  }

  /** Whether {@linkcode BenchSession.interrupt} was called. */
  get isInterrupted(): boolean {
    return this.#interruption.signal.aborted;
  }

  /** Ends the bench that runs, and leaves out the others. */
  interrupt(): void {
    this.#interruption.abort();
  }

  /** Runs all, and writes the figures after each bench, so that none is lost when the run is killed. */
  async run(outputs: SessionOutputs): Promise<BenchReport> {
    const { files, runtimes, isQuick } = this.#parts;
    const plan = files.flatMap((file) =>
      runtimes.map((runtime) => ({ file, runtime, seconds: plannedSeconds(nameOf(file), isQuick) }))
    );
    const left = new TimeLeft(plan.map(({ seconds }) => seconds));
    const servers = await startBenchServers(files);
    try {
      for (const [at, { file, runtime, seconds }] of plan.entries()) {
        if (this.isInterrupted) break;
        const title = `${nameOf(file)} on ${runtime.name} ${runtime.version}`;
        console.log(`\n[${at + 1}/${plan.length}] ${title}, ${left} left\n`);
        const run = await this.#runOne(file, runtime);
        this.#runs.push(run);
        this.#writeFigures(outputs);
        left.done(seconds, run.seconds);
      }
    } finally {
      await servers.stop();
    }
    this.#method = finishMethod(this.#method, this.isInterrupted);
    this.#writeFigures(outputs);
    const { report, folder } = outputs;
    if (report !== undefined) {
      const { writeReport } = await import("../report/write_report.ts");
      writeReport(this.#report, resolve(folder, report));
    }
    return this.#report;
  }

  get #report(): BenchReport {
    return { method: this.#method, runs: this.#runs };
  }

  #writeFigures({ json, folder }: SessionOutputs): void {
    if (json === undefined) return;
    const path = resolve(folder, json);
    writeFileSync(`${path}.tmp`, `${JSON.stringify(this.#report, undefined, 1)}\n`);
    renameSync(`${path}.tmp`, path);
  }

  async #runOne(file: string, { name, path }: Runtime): Promise<BenchRun> {
    const scratch = mkdtempSync(join(tmpdir(), "strata-figures-"));
    const figures = join(scratch, "figures.ndjson");
    try {
      const { code, trouble, elapsed } = await runCommand(
        [path, ...FLAGS[name], file, ...(this.#parts.isQuick ? ["--quick"] : [])],
        {
          show: true,
          limit: LIMIT_MS,
          signal: this.#interruption.signal,
          env: { [FIGURES_FILE]: figures },
        },
      );
      return {
        bench: nameOf(file),
        runtime: name,
        ...readFigures(figures),
        seconds: Math.round(elapsed / 100) / 10,
        ...(code === 0 ? {} : { trouble: trouble ?? `ended with exit code ${code}` }),
      };
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  }
}

function nameOf(file: string): string {
  return basename(file).replace(/_bench\.ts$/, "");
}

function readFigures(file: string): { figures: Figure[]; notes: string[] } {
  const figures: Figure[] = [];
  const notes: string[] = [];
  let text = "";
  try {
    text = readFileSync(file, "utf8");
  } catch {
    // The bench recorded nothing.
  }
  for (const line of text.split("\n")) {
    // The last line of a bench that was killed may be torn.
    if (!line.endsWith("}")) continue;
    const entry = JSON.parse(line) as FigureLine;
    if ("figure" in entry) figures.push(entry.figure);
    else notes.push(entry.note);
  }
  return { figures, notes };
}
