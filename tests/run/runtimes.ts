import { existsSync } from "node:fs";
import process from "node:process";
import { runCommand } from "./spawn.ts";

/** The names of the runtimes that everything here runs on. */
export const RUNTIME_NAMES = ["deno", "bun", "node"] as const;

/** One of {@linkcode RUNTIME_NAMES}. */
export type RuntimeName = typeof RUNTIME_NAMES[number];

/** A runtime that is on this machine. */
export interface Runtime {
  /** Its name. */
  readonly name: RuntimeName;
  /** Its version, without a leading `v`. */
  readonly version: string;
  /** Its program file. */
  readonly path: string;
}

/** The npm packages that bring the runtimes; Deno is the one that runs this. */
const PACKAGES = { bun: "bun@1.4", node: "node@24" } as const;

/**
 * Finds a runtime, and has npm bring it where it is missing.
 *
 * npx is asked for the program file only, so that tests, demo and benches run
 * as direct children of the caller, without npm between them.
 *
 * @throws when npm cannot bring it.
 */
export async function findRuntime(name: RuntimeName): Promise<Runtime> {
  if (name === "deno") {
    return { name, version: await version(process.execPath), path: process.execPath };
  }
  const found = await runCommand(
    ["npx", "-y", PACKAGES[name], "-e", "console.log(process.execPath)"],
  );
  const path = found.stdout.trim().split("\n").at(-1) ?? "";
  if (found.code !== 0 || !existsSync(path)) {
    throw new Error(
      `Cannot find ${name}: npx -y ${PACKAGES[name]} ${
        found.trouble ?? `ended with ${found.code}`
      }\n${found.output.trim()}`,
    );
  }
  return { name, version: await version(path), path };
}

async function version(path: string): Promise<string> {
  const { output } = await runCommand([path, "--version"]);
  return /\d+\.\d+\.\d+\S*/.exec(output)?.[0] ?? "of unknown version";
}
