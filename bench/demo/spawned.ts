import process from "node:process";
import { fileURLToPath } from "node:url";
import { findRuntime, type RuntimeName } from "../../tests/run/runtimes.ts";
import { runCommand } from "../../tests/run/spawn.ts";
import type { SecondProcessReport } from "./second_process.ts";

const NAMES = { deno: "Deno", bun: "Bun", node: "Node" } as const;

/** A runtime that can run the second process. */
export interface DemoRuntime {
  /** Its name and version. */
  readonly title: string;
  /** What starts a script with it. */
  readonly command: readonly [string, ...string[]];
}

/** The runtime of this process. */
export function thisRuntime(): DemoRuntime {
  const { deno, bun, node } = process.versions as Readonly<Record<string, string | undefined>>;
  if (deno !== undefined) return describe("deno", deno, process.execPath);
  if (bun !== undefined) return describe("bun", bun, process.execPath);
  return describe("node", node!, process.execPath);
}

/** A runtime by its name; npm brings it where it is missing. */
export async function otherRuntime(name: RuntimeName): Promise<DemoRuntime> {
  const { version, path } = await findRuntime(name);
  return describe(name, version, path);
}

/** Runs the second process to its end. */
export async function runSecondProcess(
  { title, command: [program, ...flags] }: DemoRuntime,
  folder: string,
): Promise<SecondProcessReport> {
  const script = fileURLToPath(new URL("second_process.ts", import.meta.url));
  const result = await runCommand([program, ...flags, script, folder]);
  if (result.code !== 0) {
    throw new Error(`Cannot run the second process on ${title}:\n${result.output}`);
  }
  return JSON.parse(result.stdout.trim().split("\n").at(-1)!);
}

function describe(name: RuntimeName, version: string, path: string): DemoRuntime {
  const title = `${NAMES[name]} ${version}`;
  return { title, command: name === "deno" ? [path, "run", "-A", "--no-check"] : [path] };
}
