import assert from "node:assert/strict";
import { describe } from "node:test";
import { isCacheError } from "../../src/errors.ts";
import { entryOf } from "../fakes/entries.ts";
import { FlakyBackend } from "../fakes/flaky_backend.ts";
import { freshSeed, seededRandom } from "../fakes/seeded_random.ts";
import { liveKeys, type SuiteTest, valueOf } from "./harness.ts";

/** What a caller sees and what the store holds when operations or their answers are lost on the way. */
export function describeFaults(test: SuiteTest): void {
  describe("faults", () => {
    const seed = freshSeed();
    test(`get() is the old or the new value after a set that failed (seed ${seed})`, async ({ backend, clock }) => {
      const flaky = new FlakyBackend(backend, seededRandom(seed), {
        failBefore: 0.3,
        failAfter: 0.3,
      });
      const keys = ["a", "b", "c"];
      const possible = new Map<string, Set<unknown>>(
        keys.map((key) => [key, new Set([undefined])]),
      );
      for (let step = 0; step < 120; step++) {
        const key = keys[step % 3] as string;
        const isDelete = step % 5 === 0;
        const next = isDelete ? undefined : step;
        try {
          if (isDelete) await flaky.delete(key);
          else await flaky.set(key, entryOf(key, step, { clock, version: step + 1 }));
          possible.set(key, new Set([next]));
        } catch (error) {
          assert.ok(isCacheError(error, "backend"), String(error));
          possible.get(key)?.add(next);
        }
        const held = await valueOf(backend, key);
        assert.ok(possible.get(key)?.has(held), `${key} holds ${held} after step ${step}`);
        possible.set(key, new Set([held]));
      }
    });

    test("get() that hangs ends with its signal and leaves the store fit for use", async ({ backend, clock }) => {
      const flaky = new FlakyBackend(backend, () => 0);
      await flaky.set("key", entryOf("key", 1, { clock }));
      flaky.pause();
      const controller = new AbortController();
      const reason = new Error("waited long enough");
      const read = flaky.get("key", { signal: controller.signal });
      const write = flaky.set("key", entryOf("key", 2, { clock }), { signal: controller.signal });
      controller.abort(reason);
      await assert.rejects(read, reason);
      await assert.rejects(write, reason);
      flaky.resume();
      assert.equal(await valueOf(flaky, "key"), 1);
      assert.deepStrictEqual(await liveKeys(flaky, ["key"]), ["key"]);
    });
  });
}
