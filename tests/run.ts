/*
 * Runs every test file on every runtime: deno task test [options] [part of a file name ...]
 *
 *   --embedded            leave out the suites that start a server (tests/servers)
 *   --runtime NAME        only on deno, bun or node; may be repeated
 *   --filter TEXT         only files whose path contains the text; may be repeated
 *   --slowest N           name the slowest files of each runtime; 5 where there is no choice
 *
 * Ends with `N passed, N failed`, summed over the runtimes, alone on the last
 * line; directly before it, what failed, one line each, after the line `Failed:`.
 */

import { globSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { listFailed } from "./run/failed.ts";
import { findRuntime, RUNTIME_NAMES, type RuntimeName } from "./run/runtimes.ts";
import { needsServer, provideServers, type SharedServers, startShared } from "./run/servers.ts";
import { runCommand } from "./run/spawn.ts";
import { type Failure, runSuite, type SuiteResult } from "./run/suite.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    embedded: { type: "boolean", default: false },
    runtime: { type: "string", multiple: true, default: [...RUNTIME_NAMES] },
    filter: { type: "string", multiple: true, default: [] },
    slowest: { type: "string", default: "5" },
  },
});

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const runtimes = values.runtime.map((name): RuntimeName => {
  const known = RUNTIME_NAMES.find((candidate) => candidate === name);
  if (known === undefined) {
    throw new TypeError(`Cannot run tests on "${name}": known are ${RUNTIME_NAMES.join(", ")}`);
  }
  return known;
});

const wanted = [...positionals, ...values.filter];
const found = globSync("tests/**/*_test.ts")
  .filter((file) => wanted.length === 0 || wanted.some((text) => file.includes(text)))
  .sort();
const served = found.filter(needsServer);
let shared: SharedServers | undefined;
const trouble = values.embedded || served.length === 0 ? undefined : await bringServers();
const leftOut = values.embedded || trouble !== undefined ? served : [];
const files = found.filter((file) => !leftOut.includes(file));

let passed = 0;
const failures: Failure[] = [];

if (leftOut.length > 0) {
  console.log(`Not run, since they start a server:\n  ${leftOut.join("\n  ")}\n`);
}
if (trouble !== undefined) {
  console.log(`The servers cannot be had: ${trouble}\n`);
  failures.push(...served.map((title) => ({ title, detail: `no server: ${trouble}` })));
}

if (found.length === 0) {
  failures.push({ title: wanted.join(", "), detail: "no test file matches" });
} else if (files.length > 0) {
  // A fresh clone has no node_modules, and only Deno knows how to make it.
  const install = await runCommand([process.execPath, "install", "--quiet"]);
  if (install.code !== 0) console.log(`deno install failed\n${install.output.trim()}\n`);
  const counts = new Map<RuntimeName, number>();
  try {
    // All at once: many tests wait for a server or another process.
    await Promise.all(runtimes.map(async (name) => {
      const result = await runOn(name);
      counts.set(name, result.passed + result.failures.length);
      passed += result.passed;
      for (const { title, detail } of result.failures) {
        failures.push({ title: `${name}: ${title}`, detail });
      }
    }));
  } finally {
    await shared?.stop();
  }
  if (new Set(counts.values()).size > 1) {
    const list = [...counts].map(([name, count]) => `${count} on ${name}`).join(", ");
    console.log(`The runtimes did not run the same number of tests: ${list}\n`);
  }
}

for (const line of listFailed(failures)) console.log(line);
console.log(`${passed} passed, ${failures.length} failed`);
if (failures.length > 0) process.exitCode = 1;

/** @returns why the servers cannot be had. */
async function bringServers(): Promise<string | undefined> {
  const missing = await provideServers(served);
  if (missing !== undefined) return missing;
  try {
    shared = await startShared(served);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function runOn(name: RuntimeName): Promise<SuiteResult> {
  try {
    const runtime = await findRuntime(name);
    const result = await runSuite(runtime, files);
    for (const { title, detail } of result.failures) {
      console.log(`${name}: FAILED ${title}\n${detail.replace(/^/gm, "    ")}\n`);
    }
    console.log(
      `${name} ${runtime.version}: ${result.passed} passed, ${result.failures.length} failed ` +
        `in ${files.length} files, ${(result.elapsed / 1000).toFixed(1)} s`,
    );
    for (const { file, seconds } of result.slowest.slice(0, Number(values.slowest))) {
      console.log(`${seconds.toFixed(1).padStart(7)} s  ${file}`);
    }
    console.log("");
    return result;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    console.log(`${name}: did not run, with it ${files.length} files\n${detail}\n`);
    return {
      passed: 0,
      failures: files.map((title) => ({ title, detail })),
      elapsed: 0,
      slowest: [],
    };
  }
}
