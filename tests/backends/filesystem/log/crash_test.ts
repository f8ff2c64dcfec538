import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Durability } from "../../../../backends/filesystem/log/core.ts";
import {
  diskUsage,
  frameOf,
  openLog,
  pick,
  readVersion,
  runtimeArguments,
  seeded,
  withDirectory,
} from "./helpers.ts";

const CHILD = fileURLToPath(new URL("./crash_child.ts", import.meta.url));

/** What a child was doing: versions and deletions, in order, and up to where all of it is on disk. */
interface Notes {
  readonly operations: readonly {
    readonly number: number;
    readonly kind: string;
    readonly key: string;
  }[];
  readonly durableTo: number;
}

/**
 * Kills a writing process again and again, and checks after each time that
 * each key holds what was acknowledged or what was being done to it.
 */
async function killRepeatedly(
  seed: number,
  rounds: number,
  durability: Durability,
  limit: number,
): Promise<void> {
  await withDirectory(async (directory) => {
    const random = seeded(seed);
    let state = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      const where = `seed ${seed}, round ${round}, ${durability}`;
      const notesPath = path.join(directory, "notes");
      fs.rmSync(notesPath, { force: true });
      const logPath = path.join(directory, "log");
      await runAndKill(
        [logPath, notesPath, String(seed + round), durability, String(limit)],
        notesPath,
        pick(random, 120),
      );
      const notes = readNotes(notesPath);
      assert.ok(notes.operations.length > 0, where);
      const allowed = allowedStates(state, notes);
      const log = await openLog(logPath, { maxBytes: limit, segmentBytes: 16 * 1024 });
      if (limit < Infinity) assert.ok(diskUsage(logPath) <= limit, where);
      state = new Map();
      for (let at = 0; at < 120; at++) {
        const key = `key-${at}`;
        const found = await readVersion(log, key);
        const expected = allowed.get(key) ?? new Set([-1]);
        const isEvicted = limit < Infinity && found === -1;
        assert.ok(
          expected.has(found) || isEvicted,
          `${where}: ${key} holds ${found}, not one of ${[...expected]}`,
        );
        if (found !== -1) state.set(key, found);
      }
      for await (const key of log.keys()) assert.ok(state.has(key), `${where}: phantom ${key}`);
      await log.close();
    }
  });
}

/**
 * Kills a writing process again and again beside one that lives, writes as
 * well, and takes over what the killed ones leave.
 */
async function killBesideSurvivor(seed: number, rounds: number): Promise<void> {
  await withDirectory(async (directory) => {
    const random = seeded(seed);
    const logPath = path.join(directory, "log");
    const survivor = await openLog(logPath, { segmentBytes: 16 * 1024 });
    const own = new Map<string, number>();
    let state = new Map<string, number>();
    for (let round = 0; round < rounds; round++) {
      const where = `seed ${seed}, round ${round}`;
      const notesPath = path.join(directory, `notes-${round}`);
      let isOver = false;
      const killed = runAndKill(
        [logPath, notesPath, String(seed + round), "none", "Infinity", "keep"],
        notesPath,
        pick(random, 120),
      ).finally(() => isOver = true);
      for (let step = 0; !isOver; step++) {
        const key = `survivor-${pick(random, 30)}`;
        const version = round * 1_000_000 + step;
        await survivor.put(key, frameOf(key, version, pick(random, 1500)), Infinity);
        own.set(key, version);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await killed;
      survivor.refresh();
      const allowed = allowedStates(state, readNotes(notesPath));
      state = new Map();
      for (let at = 0; at < 120; at++) {
        const key = `key-${at}`;
        const found = await readVersion(survivor, key);
        const expected = allowed.get(key) ?? new Set([-1]);
        assert.ok(
          expected.has(found),
          `${where}: ${key} holds ${found}, not one of ${[...expected]}`,
        );
        if (found !== -1) state.set(key, found);
      }
      for (const [key, version] of own) {
        assert.equal(await readVersion(survivor, key), version, `${where}: ${key}`);
      }
    }
    // The next segment that begins ends what the killed ones left.
    for (let at = 0; at < 20; at++) await survivor.put("last", frameOf("last", at, 1500), Infinity);
    await survivor.flush();
    assert.equal(fs.readdirSync(logPath).filter((name) => name.endsWith(".own")).length, 1);
    await survivor.close();
    assert.deepEqual(survivor.reports, []);
    const again = await openLog(logPath);
    for (const [key, version] of [...own, ...state]) {
      assert.equal(await readVersion(again, key), version, key);
    }
    await again.close();
  });
}

async function runAndKill(
  childArguments: readonly string[],
  notesPath: string,
  delay: number,
): Promise<void> {
  const child = spawn(process.execPath, [...runtimeArguments(), CHILD, ...childArguments], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await new Promise<void>((resolve) => {
    const watch = setInterval(() => {
      if (
        child.exitCode === null && !(fs.existsSync(notesPath) && fs.statSync(notesPath).size > 0)
      ) return;
      clearInterval(watch);
      resolve();
    }, 2);
  });
  // The instant is meant to be a random one; nothing is asserted about how long anything takes.
  await new Promise((resolve) => setTimeout(resolve, delay));
  assert.equal(child.exitCode, null, "the child ended by itself");
  child.kill("SIGKILL");
  await ended;
}

function readNotes(notesPath: string): Notes {
  const operations: { number: number; kind: string; key: string }[] = [];
  let durableTo = 0;
  for (const line of fs.readFileSync(notesPath, "utf8").split("\n")) {
    const [tag, number, kind, key] = line.split(" ");
    if (tag === "I" && kind !== undefined) {
      operations.push({ number: Number(number), kind, key: key ?? "" });
    } else if (tag === "D") {
      durableTo = Number(number);
    }
  }
  return { operations, durableTo };
}

/** The states that a key may be in: after what is on disk for sure, and after each later operation. */
function allowedStates(
  before: ReadonlyMap<string, number>,
  notes: Notes,
): Map<string, Set<number>> {
  const allowed = new Map<string, Set<number>>();
  const statesOf = (key: string): Set<number> => {
    let states = allowed.get(key);
    if (states === undefined) allowed.set(key, states = new Set([-1]));
    return states;
  };
  for (const [key, version] of before) allowed.set(key, new Set([version]));
  for (const { number, kind, key } of notes.operations) {
    if (kind === "flush") continue;
    const after = kind === "put" ? number : -1;
    const keys = kind === "clear" ? [...allowed.keys()] : [key];
    for (const each of keys) {
      const states = statesOf(each);
      if (number <= notes.durableTo) states.clear();
      states.add(after);
    }
  }
  return allowed;
}

/** Kills a test makes; each test has to end before a runner's patience does. */
const KILLS = 4;
/** With five forms, 100 kills. The long form kills more often: STRATA_LONG says how many times as many. */
const REPEATS = 5 * Number(process.env["STRATA_LONG"] ?? 1);

const FORMS: readonly (readonly [Durability, number])[] = [
  ["none", Infinity],
  ["segment", 512 * 1024],
  ["batch", Infinity],
  ["none", 512 * 1024],
];

for (let repeat = 0; repeat < REPEATS; repeat++) {
  for (const [at, [durability, limit]] of FORMS.entries()) {
    const seed = 1000 * at + 10 * repeat + 1;
    test(`a killed process leaves what it acknowledged and nothing wrong (${durability}, ${limit} bytes, seed ${seed})`, async () => {
      await killRepeatedly(seed, KILLS, durability, limit);
    });
  }
}

for (let repeat = 0; repeat < REPEATS; repeat++) {
  const seed = 9001 + 10 * repeat;
  test(`a process that lives takes over what killed ones leave (seed ${seed})`, async () => {
    await killBesideSurvivor(seed, KILLS);
  });
}
