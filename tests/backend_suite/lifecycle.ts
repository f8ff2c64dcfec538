import assert from "node:assert/strict";
import { describe } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import type { CacheBackend, OperationOptions } from "../../src/types.ts";
import { entryOf } from "../fakes/entries.ts";
import { liveKeys, type SuiteTest, valueOf } from "./harness.ts";

/** Every operation a backend has that takes options, by its name. */
function operations(
  backend: CacheBackend,
): Record<string, (options?: OperationOptions) => Promise<unknown>> {
  const { getMany, setMany, deleteMany, keys } = backend;
  const entry = entryOf("key", "new");
  return {
    get: (options) => backend.get("key", options),
    set: (options) => backend.set("key", entry, options),
    delete: (options) => backend.delete("key", options),
    exists: (options) => backend.exists("key", options),
    "clear without a pattern": (options) => backend.clear(undefined, options),
    "clear with a pattern": (options) => backend.clear("k*", options),
    ...(getMany && { getMany: (options) => getMany.call(backend, ["key"], options) }),
    ...(setMany && { setMany: (options) => setMany.call(backend, [entry], options) }),
    ...(deleteMany && { deleteMany: (options) => deleteMany.call(backend, ["key"], options) }),
    ...(keys && { keys: (options) => drain(keys.call(backend, undefined, options)) }),
  };
}

/** Abort, and what is left of a backend that is closed. */
export function describeLifecycle(test: SuiteTest): void {
  describe("abort", () => {
    test("every operation rejects with the reason of a signal that is aborted already", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", "old", { clock }));
      for (const [name, operate] of Object.entries(operations(backend))) {
        const reason = new Error(`no ${name}`);
        await assert.rejects(
          async () => await operate({ signal: AbortSignal.abort(reason) }),
          (error) => error === reason,
          name,
        );
        assert.equal(await valueOf(backend, "key"), "old", name);
      }
    });

    test("every operation that is aborted underway is done or not done, and the next one works", async ({ backend, clock }) => {
      for (const turns of [0, 1, 2, 5]) {
        for (const name of Object.keys(operations(backend))) {
          await backend.set("key", entryOf("key", "old", { clock }));
          const controller = new AbortController();
          const reason = new Error(`no more ${name}`);
          const running = Promise.resolve(
            operations(backend)[name]?.({ signal: controller.signal }),
          ).catch((error) => assert.equal(error, reason, name));
          for (let turn = 0; turn < turns; turn++) await Promise.resolve();
          controller.abort(reason);
          await running;
          const held = await valueOf(backend, "key");
          assert.ok([undefined, "old", "new"].includes(held as string), `${name} left ${held}`);
          await backend.set("key", entryOf("key", "next", { clock }));
          assert.equal(await valueOf(backend, "key"), "next", name);
          assert.deepStrictEqual(await liveKeys(backend, ["key"]), ["key"]);
        }
      }
    });

    test("every operation goes on when the signal is not aborted", async ({ backend, clock }) => {
      const { signal } = new AbortController();
      assert.equal(await backend.set("key", entryOf("key", 1, { clock }), { signal }), true);
      assert.equal((await backend.get("key", { signal }))?.key, "key");
      assert.equal(await backend.exists("key", { signal }), true);
      assert.equal(await backend.delete("key", { signal }), true);
      assert.equal(await backend.clear("*", { signal }), 0);
    });
  });

  describe("close", () => {
    test("close() may be called twice, also at once", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", 1, { clock }));
      await Promise.all([backend.close?.(), backend.close?.()]);
      await backend.close?.();
      if (backend.close === undefined) assert.equal(await valueOf(backend, "key"), 1);
    });

    test("every operation rejects as closed after close()", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", 1, { clock }));
      if (backend.close === undefined) return;
      await backend.close();
      const all = { ...operations(backend), getStats: () => backend.getStats() };
      for (const [name, operate] of Object.entries(all)) {
        await assert.rejects(
          async () => await operate(),
          (error) => isCacheError(error, "closed"),
          `${name} says that it is closed`,
        );
      }
      assert.equal(clock.pendingTimers, 0, "no timer is left");
    });

    test("close() waits for what was begun before it", async ({ backend, clock }) => {
      const begun = ["a", "b", "c"].map((key) => backend.set(key, entryOf(key, key, { clock })));
      await backend.close?.();
      assert.deepStrictEqual(await Promise.all(begun), [true, true, true]);
    });

    test("flush() resolves when nothing and when something waits", async ({ backend, clock }) => {
      await backend.flush?.();
      const begun = backend.set("key", entryOf("key", 1, { clock }));
      await backend.flush?.();
      assert.equal(await begun, true);
      await backend.flush?.();
      assert.equal(await valueOf(backend, "key"), 1);
    });
  });
}

async function drain(keys: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const key of keys) all.push(key);
  return all;
}
