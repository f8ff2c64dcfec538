import { mkdtemp, readFile, rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseJunit, type TestCase } from "./junit.ts";
import { loads } from "./modules.ts";
import type { Runtime, RuntimeName } from "./runtimes.ts";
import { type CommandResult, runCommand } from "./spawn.ts";

/** One thing that did not go well. */
export interface Failure {
  /** The test or the file. */
  readonly title: string;
  /** What is known of it. */
  readonly detail: string;
}

/** What a runtime made of the test files. */
export interface SuiteResult {
  readonly passed: number;
  readonly failures: readonly Failure[];
  /** How long it took, in milliseconds. */
  readonly elapsed: number;
  /** Each test file and its seconds, the slowest first; on Node without the start of its process. */
  readonly slowest: readonly FileTime[];
}

/** How long a test file took. */
export interface FileTime {
  readonly file: string;
  readonly seconds: number;
}

/** A whole run of one runtime, in milliseconds. */
const RUN_LIMIT = 27 * 60_000;

/** One test, and on Node one file, in milliseconds. Nothing asserts durations; this only names what hangs. */
const TEST_LIMIT = 300_000;

/** Lines of output that are shown when a runtime ends without a usable report. */
const TAIL_LINES = 60;

/**
 * Runs test files on one runtime.
 *
 * Whatever is not a test that ran and passed is a failure: a skipped or todo
 * test, a file that reported no test, an exit code that the report does not explain.
 */
export async function runSuite(
  runtime: Runtime,
  files: readonly string[],
): Promise<SuiteResult> {
  const passes = passesOf(runtime.name, files);
  const results: SuiteResult[] = [];
  for (const pass of passes) results.push(await runPass(runtime, pass));
  return {
    passed: results.reduce((sum, { passed }) => sum + passed, 0),
    failures: results.flatMap(({ failures }) => failures),
    elapsed: results.reduce((sum, { elapsed }) => sum + elapsed, 0),
    slowest: slowestFirst(results.flatMap(({ slowest }) => slowest)),
  };
}

/** Test files that one command runs. */
export interface Pass {
  /** The files. */
  readonly files: readonly string[];
  /** Whether files may share their process with others at the same time. */
  readonly parallel: boolean;
}

/**
 * The commands that run some test files, one after another.
 *
 * Deno runs files side by side as threads of one process, Bun many in each of
 * a few, Node each in its own: what looks at the memory of its process gets, on
 * the first two, one in which nothing else runs.
 */
export function passesOf(runtime: RuntimeName, files: readonly string[]): Pass[] {
  const apart = runtime === "node" ? [] : files.filter(measuresMemory);
  const others = files.filter((file) => !apart.includes(file));
  return [{ files: others, parallel: true }, { files: apart, parallel: false }]
    .filter(({ files }) => files.length > 0);
}

function measuresMemory(file: string): boolean {
  return loads([file], "tests/process_memory.ts");
}

async function runPass(runtime: Runtime, { files, parallel }: Pass): Promise<SuiteResult> {
  const folder = await mkdtemp(join(tmpdir(), "strata-tests-"));
  const report = join(folder, "junit.xml");
  try {
    const command = testCommand(runtime, files, parallel, report);
    // Node's own: a process of its own for each file would compile the same modules again.
    const env = { NODE_COMPILE_CACHE: join(folder, "compiled") };
    const result = await runCommand(command, { limit: RUN_LIMIT, env });
    const xml = await readFile(report, "utf8").catch(() => "");
    return {
      ...judge(runtime.name, xml, files, result),
      elapsed: result.elapsed,
      slowest: timeFiles(runtime.name, xml, files, result.output),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Counts a report, and what it does not say. */
export function judge(
  runtime: RuntimeName,
  xml: string,
  files: readonly string[],
  result: Pick<CommandResult, "code" | "trouble" | "output">,
): Pick<SuiteResult, "passed" | "failures"> {
  const report = parseJunit(xml);
  // Node, and only Node, lists a file that registered no test, or broke, as a test of its name.
  const isFile = ({ name, outcome }: TestCase): boolean =>
    files.includes(name) && outcome !== "failed";
  const cases = report.tests.filter((test) => !isFile(test));
  const empty = report.tests.filter(isFile).map(({ name }) => name);
  const failures: Failure[] = cases
    .filter(({ outcome }) => outcome !== "passed")
    .map(({ name, file, outcome, detail }) => ({
      title: `${name} (${file})`,
      detail: outcome === "skipped" ? "was skipped; a test must run" : detail,
    }));
  for (const file of files) {
    const seen = runtime === "node" || cases.some(({ name }) => name === file) ||
      isShown(file, report.files, result.output);
    if (!seen || empty.includes(file)) {
      failures.push({
        title: file,
        detail: "reported no test: it broke while loading or has none",
      });
    }
  }
  // What a report cannot say, the end of the output may.
  const tail = result.output.trimEnd().split("\n").slice(-TAIL_LINES).join("\n");
  const last = failures.at(-1);
  if (result.code === undefined || (result.code !== 0 && last === undefined)) {
    const ending = result.trouble ?? `ended with exit code ${result.code}`;
    failures.push({ title: "the test process", detail: `${ending}\n${tail}` });
  } else if (last !== undefined && files.includes(last.title)) {
    failures[failures.length - 1] = { title: last.title, detail: `${last.detail}\n${tail}` };
  }
  return { passed: cases.filter(({ outcome }) => outcome === "passed").length, failures };
}

/** Says how long each file took, the slowest first. */
export function timeFiles(
  runtime: RuntimeName,
  xml: string,
  files: readonly string[],
  output: string,
): FileTime[] {
  const seconds = runtime === "deno" ? timesInOutput(output) : parseJunit(xml).seconds;
  return slowestFirst([...seconds].map(([reported, seconds]) => ({
    file: files.find((file) => reported.endsWith(file)) ?? reported,
    seconds,
  })));
}

function slowestFirst(times: readonly FileTime[]): FileTime[] {
  return times.toSorted((a, b) => b.seconds - a.seconds);
}

/** Sums what Deno says of the outermost tests: `./a_test.ts => name ... ok (1m2s)`. */
function timesInOutput(output: string): Map<string, number> {
  const seconds = new Map<string, number>();
  const line = /^\.\/(\S+) => (.*) \.\.\. \w+ \((?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\)$/gm;
  for (const [, file = "", name = "", m = 0, s = 0, ms = 0] of output.matchAll(line)) {
    if (name.includes(" ... ")) continue;
    seconds.set(file, (seconds.get(file) ?? 0) + Number(m) * 60 + Number(s) + Number(ms) / 1000);
  }
  return seconds;
}

/**
 * Bun names the file that it ran in its report; Deno names the one that called
 * `test()`, which for a contract suite is another, and the one it ran in its output.
 */
function isShown(file: string, reported: ReadonlySet<string>, output: string): boolean {
  return reported.has(file) || output.includes(`./${file} => `) ||
    new RegExp(`running [1-9]\\d* tests? from \\./${RegExp.escape(file)}$`, "m").test(output);
}

function testCommand(
  { name, path }: Runtime,
  files: readonly string[],
  parallel: boolean,
  report: string,
): [string, ...string[]] {
  if (name === "deno") {
    const flags = ["-A", "--no-check", ...parallel ? ["--parallel"] : []];
    return [path, "test", ...flags, `--junit-path=${report}`, ...files];
  }
  if (name === "bun") {
    return [
      path,
      "test",
      `--timeout=${TEST_LIMIT}`,
      ...parallel ? [`--parallel=${availableParallelism()}`, "--parallel-delay=0"] : [],
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      // Without the "./" Bun takes a name as a filter.
      ...files.map((file) => `./${file}`),
    ];
  }
  return [
    path,
    "--test",
    // By default it leaves one core idle.
    `--test-concurrency=${availableParallelism()}`,
    `--test-timeout=${TEST_LIMIT}`,
    "--test-reporter=junit",
    `--test-reporter-destination=${report}`,
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    ...files,
  ];
}
