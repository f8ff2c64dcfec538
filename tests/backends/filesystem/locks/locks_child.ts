/*
 * Run as a process of its own beside others over one directory.
 *
 * Arguments: what to do, directory, notes file, count.
 *
 * - `count`: so many times takes the one lock, notes its fence while nobody
 *   else is inside, and frees it.
 * - `hold`: takes the lock for a minute and says its fence on standard output,
 *   then waits to be killed.
 * - `freeze`: takes the lock for half a second and says its fence; for each
 *   line on standard input says whether the lock could be renewed.
 */
import * as fs from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { FilesystemBackend } from "../../../../backends/filesystem.ts";
import { systemClock } from "../../../../src/clock.ts";
import type { Lock, LockProvider } from "../../../../src/coordination/lock_provider.ts";

const [task, basePath, notes, count] = process.argv.slice(2) as [string, string, string, string];
const backend = await FilesystemBackend.open(
  { basePath },
  { clock: systemClock, report: () => {} },
);
const locks = backend.createLockProvider();

async function take(provider: LockProvider, leaseMs: number): Promise<Lock> {
  for (;;) {
    const lock = await provider.acquire("the one", { leaseMs });
    if (lock !== undefined) return lock;
    await setTimeout(1);
  }
}

if (task === "count") {
  for (let turn = 0; turn < Number(count); turn++) {
    const lock = await take(locks, 60_000);
    // Fails when another process is inside.
    fs.closeSync(fs.openSync(`${notes}.inside`, "wx"));
    fs.appendFileSync(notes, `${lock.fence}\n`);
    fs.unlinkSync(`${notes}.inside`);
    if (!await lock.release()) throw new Error("the lock was lost");
  }
  await backend.close();
} else {
  const lock = await take(locks, task === "hold" ? 60_000 : 500);
  console.log(lock.fence);
  for await (const _ of createInterface({ input: process.stdin })) {
    console.log(await lock.renew(60_000));
  }
  await backend.close();
}
