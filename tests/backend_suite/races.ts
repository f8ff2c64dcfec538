import assert from "node:assert/strict";
import { describe } from "node:test";
import { entryOf } from "../fakes/entries.ts";
import { freshSeed, seededRandom } from "../fakes/seeded_random.ts";
import { liveKeys, type SuiteTest, valueOf } from "./harness.ts";

/** A value that shows its writer in every byte, so that a mixture would show. */
function markedValue(mark: number, length: number): Uint8Array {
  return new Uint8Array(length).fill(mark);
}

/** Operations at once on the same keys leave something that one of them wrote, whole. */
export function describeRaces(test: SuiteTest): void {
  describe("races", () => {
    test("set() of 32 values at once leaves one of them whole", async ({ backend, clock }) => {
      const values = Array.from({ length: 32 }, (_, at) => markedValue(at, 100 + 997 * (at % 7)));
      const outcomes = await Promise.all(
        values.map((value, at) =>
          backend.set("key", entryOf("key", value, { clock, version: at + 1 }))
        ),
      );
      assert.deepStrictEqual(outcomes, values.map(() => true));
      const entry = await backend.get("key");
      assert.ok(entry !== undefined);
      assert.deepStrictEqual(await entry.value(), values[entry.version - 1]);
      assert.deepStrictEqual(await liveKeys(backend, ["key"]), ["key"]);
      assert.equal(await backend.delete("key"), true);
      assert.equal(await backend.get("key"), undefined);
    });

    test("delete() at once from many callers is true for one", async ({ backend, clock }) => {
      await backend.set("key", entryOf("key", 1, { clock }));
      const outcomes = await Promise.all(Array.from({ length: 16 }, () => backend.delete("key")));
      assert.equal(outcomes.filter(Boolean).length, 1);
    });

    test("set() that was begun last by one caller is what stays", async ({ backend, clock }) => {
      const running: Promise<unknown>[] = [];
      for (let at = 0; at < 20; at++) {
        running.push(backend.set("key", entryOf("key", at, { clock, version: at + 1 })));
        if (at % 3 === 0) running.push(backend.delete("key"));
      }
      await Promise.all(running);
      assert.equal(await valueOf(backend, "key"), 19);
    });

    const seed = freshSeed();
    test(`get() is a written value or a miss in a storm of sets and deletes (seed ${seed})`, async ({ backend, clock }) => {
      const random = seededRandom(seed);
      const keys = ["a", "b", "a/b", "A", "../a", "", "k".repeat(300), "\ud800"];
      const written = new Map(keys.map((key) => [key, new Set<string>()]));
      const running: Promise<void>[] = [];
      for (let step = 1; step <= 400; step++) {
        const key = keys[Math.floor(random() * keys.length)] as string;
        const dice = random();
        if (dice < 0.4) {
          const value = `${key}|${step}|`.padEnd(Math.floor(random() * 5000), "x");
          written.get(key)?.add(value);
          running.push(
            backend.set(key, entryOf(key, value, { clock, version: step })).then((stored) =>
              assert.equal(stored, true)
            ),
          );
        } else if (dice < 0.6) {
          running.push(backend.delete(key).then(() => {}));
        } else if (dice < 0.65) {
          running.push(backend.exists(key).then(() => {}));
        } else {
          running.push(
            backend.get(key).then(async (entry) => {
              if (entry === undefined) return;
              assert.equal(entry.key, key);
              const value = await entry.value() as string;
              assert.ok(written.get(key)?.has(value), `${value.slice(0, 40)} was set for this key`);
            }),
          );
        }
        if (step % 50 === 0) await Promise.all(running.splice(0));
      }
      await Promise.all(running);
      const live = [];
      for (const key of keys) {
        const entry = await backend.get(key);
        assert.equal(await backend.exists(key), entry !== undefined);
        if (entry !== undefined) live.push(key);
      }
      assert.deepStrictEqual(await liveKeys(backend, keys), live.sort());
      assert.equal(await backend.clear(), live.length);
    });
  });
}
