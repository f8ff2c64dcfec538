import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { diskUsage, openLog, readVersion, runtimeCommands, withDirectory } from "./helpers.ts";

const CHILD = fileURLToPath(new URL("./sharing_child.ts", import.meta.url));
const POLL_MS = 50;
/** What the readings of the clock, whole milliseconds, leave open. */
const CLOCK_MS = 5;

interface Event {
  readonly start: number;
  readonly end: number;
  readonly kind: string;
  readonly key: string;
  readonly version: number;
  readonly process: number;
}

async function share(count: number, limit: number, seed: number, duration: number): Promise<void> {
  await withDirectory(async (directory) => {
    const logPath = path.join(directory, "log");
    const runtimes = runtimeCommands();
    const children = Array.from({ length: count }, (_, self) => {
      const [program, ...first] = runtimes[self % runtimes.length]!;
      const notesPath = path.join(directory, `notes-${self}`);
      const child = spawn(program!, [
        ...first,
        CHILD,
        logPath,
        notesPath,
        ...[self, count, seed, limit, duration].map(String),
      ], { stdio: ["ignore", "ignore", "inherit"] });
      return new Promise<Event[]>((resolve, reject) => {
        child.once("exit", (code) => {
          if (code === 0) resolve(readNotes(notesPath, self));
          else reject(new Error(`process ${self} ended with ${code}`));
        });
      });
    });
    let largest = 0;
    const sampling = setInterval(() => largest = Math.max(largest, diskUsage(logPath)), 10);
    let events: Event[];
    try {
      events = (await Promise.all(children)).flat();
    } finally {
      clearInterval(sampling);
    }
    assert.deepEqual(events.filter(({ kind }) => kind === "report"), []);
    assert.ok(events.length > count * 50, `only ${events.length} events`);
    if (limit < Infinity) assert.ok(largest <= limit, `${largest} bytes of ${limit}`);
    checkReads(events, limit === Infinity);
    await checkEnd(logPath, events, limit);
  });
}

function readNotes(notesPath: string, self: number): Event[] {
  return fs.readFileSync(notesPath, "utf8").split("\n").map((line) => {
    const [start, end, kind, key, version] = line.split(" ");
    return {
      start: Number(start),
      end: Number(end),
      kind: kind!,
      key: key!,
      version: Number(version),
      process: self,
    };
  }).filter(({ kind }) => kind !== "open");
}

/** Each get gives something that was put and begun by then, and nothing that had been replaced or deleted longer ago than the bound. */
function checkReads(events: readonly Event[], isUnbounded: boolean): void {
  const writesOf = new Map<string, Event[]>();
  for (const event of events) {
    if (event.kind === "get") continue;
    const writes = writesOf.get(event.key);
    if (writes === undefined) writesOf.set(event.key, [event]);
    else writes.push(event);
  }
  for (const event of events) {
    if (event.kind !== "get") continue;
    const writes = writesOf.get(event.key) ?? [];
    const what = `process ${event.process} got ${event.version} of ${event.key} at ${event.start}`;
    // The writer itself sees at once what it did.
    const settledBy = (write: Event): number =>
      write.end + (write.process === event.process ? 0 : POLL_MS + CLOCK_MS);
    const source = event.version === -1
      ? undefined
      : writes.find((write) => write.kind === "put" && write.version === event.version);
    if (event.version !== -1) {
      assert.ok(source !== undefined, `${what}, which was never put`);
      assert.ok(source.start <= event.end + CLOCK_MS, `${what} before it was put`);
      // Something that began after this put had ended, and settled before this get began, must have replaced it.
      const later = writes.find((write) =>
        write.start > source.end + CLOCK_MS && settledBy(write) < event.start
      );
      assert.equal(later, undefined, `${what}, replaced by ${JSON.stringify(later)}`);
    } else if (isUnbounded) {
      const settled = writes.filter((write) => settledBy(write) < event.start);
      const lastPut = settled.filter((write) => write.kind === "put").at(-1);
      // A miss is right where a delete may have come after the last put that must be seen.
      const isExplained = lastPut === undefined ||
        writes.some((write) =>
          write.kind === "delete" && write.end >= lastPut.start - CLOCK_MS &&
          write.start <= event.end + CLOCK_MS
        );
      assert.ok(isExplained, `${what}, put by ${JSON.stringify(lastPut)}`);
    }
  }
}

/** Afterwards every key that one process wrote holds the last of it. */
async function checkEnd(logPath: string, events: readonly Event[], limit: number): Promise<void> {
  const last = new Map<string, number>();
  for (const { kind, key, version } of events) {
    if (kind !== "get" && key.startsWith("own-")) last.set(key, version);
  }
  const log = await openLog(logPath, { maxBytes: limit, segmentBytes: 16 * 1024 });
  for (const [key, version] of last) {
    const found = await readVersion(log, key);
    const isEvicted = found === -1 && limit < Infinity;
    assert.ok(found === version || isEvicted, `${key} holds ${found} in the end, not ${version}`);
  }
  await log.close();
}

/** Milliseconds that the processes run; the long form multiplies them by STRATA_LONG. */
const DURATION_MS = 1500 * Number(process.env["STRATA_LONG"] ?? 1);

test("two processes see each other's entries and deletions within the bound", async () => {
  await share(2, Infinity, 1, DURATION_MS);
});

test("two processes keep within one limit at every instant", async () => {
  await share(2, 512 * 1024, 2, DURATION_MS);
});

test("four processes keep within one limit at every instant", async () => {
  await share(4, 1024 * 1024, 3, DURATION_MS);
});
