import assert from "node:assert/strict";
import * as fs from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { FileLocks } from "../../../../backends/filesystem/locks/file_locks.ts";
import { FilesystemBackend } from "../../../../backends/filesystem.ts";
import { systemClock } from "../../../../src/clock.ts";
import type { LockProvider } from "../../../../src/coordination/lock_provider.ts";
import { isCacheError } from "../../../../src/errors.ts";
import { lockSuite } from "../../../coordination/lock_suite.ts";
import { FakeClock } from "../../../fakes/fake_clock.ts";
import { openLog } from "../log/helpers.ts";
import { diskError, FakeProcesses, MemoryDisk } from "../log/memory_disk.ts";
import { diskUsage, withScratch } from "../scratch.ts";

const LEASE_MS = 60_000;

const shared = mkdtempSync(join(tmpdir(), "strata-locks-"));
const opened: FilesystemBackend[] = [];
after(async () => {
  for (const backend of opened) await backend.close();
  rmSync(shared, { recursive: true });
});
// Backends are opened beforehand: the suite opens providers in a turn of its own.
for (let at = 0; at < 4; at++) {
  opened.push(
    await FilesystemBackend.open({ basePath: shared }, { clock: systemClock, report: () => {} }),
  );
}
let next = 0;
lockSuite(
  "FileLocks of FilesystemBackends",
  () => opened[next++ % opened.length]!.createLockProvider(),
);

/** Locks over a directory in memory, whose processes and clocks are what a test says. */
class Machine {
  readonly disk = new MemoryDisk();
  readonly processes = new FakeProcesses();
  readonly clock = new FakeClock();
  readonly reports: unknown[] = [];
  uptime: number | undefined = 1_000;
  stopwatch = 0;

  async open(
    boot = "boot",
  ): Promise<{ readonly locks: LockProvider; readonly pid: number; close: () => Promise<void> }> {
    const processTable = this.processes.spawn(boot);
    const log = await openLog("/log", {
      fileLayer: this.disk,
      processTable,
      clock: this.clock,
      stopwatch: () => this.stopwatch,
      report: (report) => this.reports.push(report),
    });
    const locks = new FileLocks({
      name: "filesystem",
      host: log,
      run: (_, operate) => operate(),
      uptime: () => this.uptime,
    });
    return { locks, pid: processTable.pid, close: () => log.close() };
  }
}

describe("FileLocks", () => {
  it("gives the lock of a killed process to another at once, with a greater fence", async () => {
    const machine = new Machine();
    const [first, second] = [await machine.open(), await machine.open()];
    const lock = await first.locks.acquire("name", { leaseMs: LEASE_MS });
    assert.equal(await second.locks.acquire("name", { leaseMs: LEASE_MS }), undefined);
    machine.processes.kill(first.pid);
    const taken = await second.locks.acquire("name", { leaseMs: LEASE_MS });
    assert.ok(taken!.fence > lock!.fence);
  });

  it("does not take a process for the dead one whose number it has", async () => {
    const machine = new Machine();
    const [first, second] = [await machine.open(), await machine.open()];
    await first.locks.acquire("name", { leaseMs: LEASE_MS });
    machine.processes.recycle(first.pid);
    assert.ok(await second.locks.acquire("name", { leaseMs: LEASE_MS }) !== undefined);
  });

  it("gives the lock of a frozen process to another after its lease, and that one finds out", async () => {
    const machine = new Machine();
    const [frozen, other] = [await machine.open(), await machine.open()];
    const lock = await frozen.locks.acquire("name", { leaseMs: 500 });
    machine.uptime = 1_499;
    assert.equal(await other.locks.acquire("name", { leaseMs: 500 }), undefined);
    machine.uptime = 1_500;
    const taken = await other.locks.acquire("name", { leaseMs: 500 });
    assert.ok(taken!.fence > lock!.fence);
    assert.equal(await lock!.renew(500), false);
    assert.equal(await lock!.release(), false);
    assert.equal(await taken!.renew(500), true, "it was not freed by its earlier owner");
  });

  it("does not renew a lock whose lease is over, though nobody has taken it", async () => {
    const machine = new Machine();
    const { locks } = await machine.open();
    const lock = await locks.acquire("name", { leaseMs: 500 });
    machine.uptime = 2_000;
    assert.equal(await lock!.renew(500), false);
    assert.equal(await lock!.release(), false);
  });

  it("keeps leases when the clock is set, where the time since the start can be told", async () => {
    const machine = new Machine();
    const [first, second] = [await machine.open(), await machine.open()];
    await first.locks.acquire("name", { leaseMs: LEASE_MS });
    machine.clock.jumpTo(machine.clock.now() + 100 * LEASE_MS);
    assert.equal(await second.locks.acquire("name", { leaseMs: LEASE_MS }), undefined);
    machine.clock.jumpTo(1);
    machine.uptime! += LEASE_MS;
    assert.ok(await second.locks.acquire("name", { leaseMs: LEASE_MS }) !== undefined);
  });

  it("ends a lease that it has watched for as long, where the clock was set back", async () => {
    const machine = new Machine();
    machine.uptime = undefined;
    const [first, second] = [await machine.open(), await machine.open()];
    await first.locks.acquire("name", { leaseMs: 500 });
    machine.clock.jumpTo(machine.clock.now() - 1_000_000);
    assert.equal(await second.locks.acquire("name", { leaseMs: 500 }), undefined);
    machine.stopwatch += 499;
    assert.equal(await second.locks.acquire("name", { leaseMs: 500 }), undefined);
    machine.stopwatch += 1;
    assert.ok(await second.locks.acquire("name", { leaseMs: 500 }) !== undefined);
  });

  it("gives growing fences across restarts, also of the machine with its clock set back", async () => {
    const machine = new Machine();
    let fence = 0;
    for (let restart = 0; restart < 5; restart++) {
      machine.uptime = 10;
      machine.clock.jumpTo(machine.clock.now() - 1_000_000);
      const { locks, close } = await machine.open(`boot ${restart}`);
      const lock = await locks.acquire("name", { leaseMs: LEASE_MS });
      assert.ok(lock!.fence > fence, `${lock!.fence} after ${fence}`);
      fence = lock!.fence;
      await close();
    }
  });

  it("leaves what was before when its process is killed at any write", async () => {
    for (let torn = 0; torn < 200; torn += 7) {
      const machine = new Machine();
      const [victim, other] = [await machine.open(), await machine.open()];
      const held = await other.locks.acquire("held", { leaseMs: LEASE_MS });
      machine.disk.mostWritten = () => torn;
      machine.disk.before = (call, path) => {
        if (call !== "write" || !path.endsWith(".table")) return;
        machine.disk.before = (again) => {
          if (again === "write") throw diskError("EIO");
        };
      };
      await assert.rejects(victim.locks.acquire("torn", { leaseMs: LEASE_MS }));
      machine.disk.before = () => {};
      machine.disk.mostWritten = () => Infinity;
      machine.processes.kill(victim.pid);
      assert.equal(await other.locks.acquire("held", { leaseMs: LEASE_MS }), undefined);
      const lock = await other.locks.acquire("torn", { leaseMs: LEASE_MS });
      assert.ok(lock!.fence > held!.fence);
      assert.equal(await held!.release(), true);
      assert.deepEqual(machine.reports, []);
    }
  });

  it("takes over the mutex of a process that was killed with it", async () => {
    const machine = new Machine();
    const [victim, other] = [await machine.open(), await machine.open()];
    await victim.locks.acquire("a", { leaseMs: LEASE_MS });
    machine.disk.before = (call, path) => {
      // From here on nothing reaches the disk any more.
      if (call === "write" && path.endsWith(".table")) {
        machine.disk.before = () => {
          throw diskError("EIO");
        };
        throw diskError("EIO");
      }
    };
    await assert.rejects(victim.locks.acquire("b", { leaseMs: LEASE_MS }));
    machine.disk.before = () => {};
    assert.ok(machine.disk.paths().some((path) => path.endsWith("mutex.lock")));
    machine.processes.kill(victim.pid);
    assert.ok(await other.locks.acquire("b", { leaseMs: LEASE_MS }) !== undefined);
  });

  it("never gives one lock to two over tables that were damaged at random", async () => {
    const machine = new Machine();
    const { locks } = await machine.open();
    for (let at = 0; at < 8; at++) await locks.acquire(`name ${at}`, { leaseMs: LEASE_MS });
    const path = machine.disk.paths().filter((name) => name.endsWith(".table"));
    assert.equal(path.length, 2);
    // The newest is the second to be written at last; a flip there leaves the one before.
    for (const slot of path) {
      const sound = machine.disk.bytes(slot).slice();
      for (let at = 0; at < sound.length; at++) {
        const bytes = sound.slice();
        bytes[at]! ^= 1 << at % 8;
        machine.disk.set(slot, bytes);
        for (let name = 0; name < 7; name++) {
          const outcome = await locks.acquire(`name ${name}`, { leaseMs: LEASE_MS })
            .catch((error: unknown) => isCacheError(error, "unavailable"));
          assert.ok(outcome === undefined || outcome === true, `byte ${at} of ${slot}`);
        }
      }
      machine.disk.set(slot, sound);
    }
  });

  it("refuses a table of another version, and leaves it alone", async () => {
    const machine = new Machine();
    const { locks } = await machine.open();
    await locks.acquire("name", { leaseMs: LEASE_MS });
    const path = machine.disk.paths().find((name) => name.endsWith(".table"))!;
    const bytes = machine.disk.bytes(path).slice();
    bytes[8] = 9;
    machine.disk.set(path, bytes);
    await assert.rejects(
      locks.acquire("other", { leaseMs: LEASE_MS }),
      (error) => isCacheError(error, "unavailable") && /another version/.test(error.message),
    );
    assert.deepEqual(machine.disk.bytes(path), bytes);
  });

  it("refuses to lock on a network file system", async () => {
    const machine = new Machine();
    machine.disk.fileSystem = () => 0x6969;
    const { locks, close } = await machine.open();
    await assert.rejects(
      locks.acquire("name", { leaseMs: LEASE_MS }),
      (error) => isCacheError(error, "unavailable") && /network file system/.test(error.message),
    );
    await close();
  });

  it("holds hundreds of locks within the limit", () =>
    withScratch(async ({ path, open }) => {
      const backend = await open({ maxBytes: "1MB" }, undefined, systemClock);
      const locks = backend.createLockProvider();
      const held = [];
      for (let at = 0; at < 300; at++) {
        held.push(await locks.acquire(`name ${at}`, { leaseMs: LEASE_MS }));
        if (at % 20 === 0) assert.ok(diskUsage(path) <= 1024 * 1024);
      }
      for (const lock of held) assert.equal(await lock!.release(), true);
      assert.ok(fs.readdirSync(join(path, "v2", "locks")).length <= 2);
      const before = diskUsage(path);
      await backend.close();
      const again = await open({ maxBytes: "1MB" }, undefined, systemClock);
      assert.ok((await again.getStats()).diskBytes >= before - 4 * 4096, "what locks take counts");
    }));

  it("rejects once its backend is closed", () =>
    withScratch(async ({ open }) => {
      const backend = await open({}, undefined, systemClock);
      const locks = backend.createLockProvider();
      const lock = await locks.acquire("name", { leaseMs: LEASE_MS });
      await backend.close();
      const isClosed = (error: unknown): boolean => isCacheError(error, "closed");
      await assert.rejects(locks.acquire("name", { leaseMs: LEASE_MS }), isClosed);
      await assert.rejects(lock!.release(), isClosed);
      assert.throws(() => backend.createLockProvider(), isClosed);
    }));
});
