import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { LockProvider } from "../../src/coordination/lock_provider.ts";
import { AWKWARD_KEYS } from "../backend_suite/keys.ts";
import { eventually } from "../servers/eventually.ts";

const LEASE_MS = 60_000;

/** Describes the contract of lock providers; each call opens another over the same store. */
export function lockSuite(name: string, open: () => LockProvider): void {
  describe(`${name} keeps the contract of lock providers`, () => {
    it("acquire() gives a lock to one of many", async () => {
      const providers = Array.from({ length: 4 }, open);
      const locks = await Promise.all(
        Array.from(
          { length: 40 },
          (_, at) => providers[at % 4]!.acquire("one of many", { leaseMs: LEASE_MS }),
        ),
      );
      const held = locks.filter((lock) => lock !== undefined);
      assert.equal(held.length, 1);
      assert.equal(await held[0]?.release(), true);
    });

    it("acquire() gives a lock again after its release, with a greater fence", async () => {
      const provider = open();
      let fence = 0;
      for (let turn = 0; turn < 20; turn++) {
        const lock = await provider.acquire("again", { leaseMs: LEASE_MS });
        assert.ok(lock !== undefined);
        assert.equal(lock.name, "again");
        assert.ok(Number.isSafeInteger(lock.fence) && lock.fence > fence, `${lock.fence}`);
        fence = lock.fence;
        assert.equal(await lock.release(), true);
        assert.equal(await lock.release(), false);
        assert.equal(await lock.renew(LEASE_MS), false);
      }
    });

    it("acquire() gives a lock whose lease is over to another, and its owner finds out", async () => {
      const [left, right] = [open(), open()];
      const first = await left.acquire("lease", { leaseMs: 20 });
      assert.ok(first !== undefined);
      const second = await eventually(
        "the lease is over",
        () => right.acquire("lease", { leaseMs: LEASE_MS }),
      );
      assert.ok(second.fence > first.fence);
      assert.equal(await first.renew(LEASE_MS), false);
      assert.equal(await first.release(), false, "it cannot free another's lock");
      assert.equal(await left.acquire("lease", { leaseMs: LEASE_MS }), undefined);
      assert.equal(await second.release(), true);
    });

    it("renew() keeps a lock beyond its first lease", async () => {
      const [left, right] = [open(), open()];
      const lock = await left.acquire("renewed", { leaseMs: 300 });
      assert.equal(await lock?.renew(LEASE_MS), true);
      // Begun later and as long: when it is over, so would the first be.
      await right.acquire("witness", { leaseMs: 300 });
      const witness = await eventually(
        "the witness' lease is over",
        () => right.acquire("witness", { leaseMs: LEASE_MS }),
      );
      assert.equal(await right.acquire("renewed", { leaseMs: LEASE_MS }), undefined);
      assert.equal(await lock?.release(), true);
      await witness.release();
    });

    it("acquire() tells awkward names apart", async () => {
      const provider = open();
      const locks = [];
      for (const name of [...AWKWARD_KEYS, "}", "{", "{}", "a}b", "{a}"]) {
        const lock = await provider.acquire(name, { leaseMs: LEASE_MS });
        assert.ok(lock !== undefined, JSON.stringify(name));
        assert.equal(lock.name, name);
        locks.push(lock);
      }
      for (const lock of locks) assert.equal(await lock.release(), true);
    });

    it("acquire() and renew() refuse a lease that is none", async () => {
      const provider = open();
      for (const leaseMs of [0, -1, NaN, Infinity]) {
        await assert.rejects(provider.acquire("none", { leaseMs }), RangeError);
      }
      const lock = await provider.acquire("none", { leaseMs: LEASE_MS });
      await assert.rejects(async () => await lock?.renew(0), RangeError);
      assert.equal(await lock?.release(), true);
    });

    it("acquire() rejects with the reason of an aborted signal, and leaves the lock free", async () => {
      const provider = open();
      const reason = new Error("no");
      await assert.rejects(
        provider.acquire("aborted", { leaseMs: LEASE_MS, signal: AbortSignal.abort(reason) }),
        (error) => error === reason,
      );
      const controller = new AbortController();
      const acquiring = provider.acquire("aborted", {
        leaseMs: LEASE_MS,
        signal: controller.signal,
      });
      controller.abort(reason);
      await assert.rejects(acquiring, (error) => error === reason);
      const lock = await eventually(
        "the lock is free",
        () => provider.acquire("aborted", { leaseMs: LEASE_MS }),
      );
      await lock.release();
    });
  });
}
