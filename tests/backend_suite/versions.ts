import assert from "node:assert/strict";
import { describe } from "node:test";
import type { CacheEntry } from "../../src/entry/entry.ts";
import type { CacheBackend, OperationOptions, VersionedOutcome } from "../../src/types.ts";
import { entryOf } from "../fakes/entries.ts";
import { freshSeed, seededRandom } from "../fakes/seeded_random.ts";
import { getMany, liveKeys, setMany, type SuiteTest, valueOf } from "./harness.ts";

/** A version as clocks of these days make them: neither of its halves fits into 32 bits alone. */
const NOW = 1_700_000_000_123 * 1024 + 77;

/** Later than any honest clock says. */
const HOSTILE = 2 ** 52;

/** What a backend with versioned writes has. */
interface Versioned extends CacheBackend {
  setNewest(
    entries: readonly CacheEntry[],
    options?: OperationOptions,
  ): Promise<VersionedOutcome[]>;
  deleteUpTo(
    keys: readonly string[],
    version: number,
    options?: OperationOptions,
  ): Promise<number>;
}

function versioned(backend: CacheBackend): Versioned {
  assert.ok(backend.setNewest !== undefined && backend.deleteUpTo !== undefined);
  return backend as Versioned;
}

/** The newest version of a key wins, in whatever order writes and deletes arrive. */
export function describeVersions(test: SuiteTest): void {
  describe("versions", () => {
    test("setNewest() refuses what is older, by however little", async ({ backend, clock }) => {
      const store = versioned(backend);
      for (
        const [held, older] of [[NOW, NOW - 1], [NOW, 1], [2, 1], [NOW, 0], [2 ** 32, 2 ** 31]]
      ) {
        await store.setNewest([entryOf("key", held, { clock, version: held! })]);
        const late = entryOf("key", "late", { clock, version: older! });
        assert.deepStrictEqual(await store.setNewest([late]), ["outdated"], `${older} < ${held}`);
        assert.equal(await valueOf(store, "key"), held);
        await store.delete("key");
      }
    });

    test("setNewest() stores what is as new or newer, by however little", async ({ backend, clock }) => {
      const store = versioned(backend);
      const versions = [0, 0, 1, 1, 2, 2 ** 31, 2 ** 32, 2 ** 32 + 1, NOW, NOW, NOW + 1];
      for (const [at, version] of versions.entries()) {
        const value = [version, at];
        const entry = entryOf("key", value, { clock, version });
        assert.deepStrictEqual(await store.setNewest([entry]), ["stored"], `version ${version}`);
        assert.deepStrictEqual(await valueOf(store, "key"), value);
      }
      assert.equal((await store.get("key"))?.version, NOW + 1);
    });

    test("setNewest() and set() see each other's entries", async ({ backend, clock }) => {
      const store = versioned(backend);
      await store.set("key", entryOf("key", "set", { clock, version: NOW }));
      const older = entryOf("key", "older", { clock, version: NOW - 1 });
      assert.deepStrictEqual(await store.setNewest([older]), ["outdated"]);
      await store.set("key", older);
      assert.equal(await valueOf(store, "key"), "older", "set() looks at no version");
    });

    test("setNewest() keeps the order of many, and goes by each key", async ({ backend, clock }) => {
      const store = versioned(backend);
      const keys = Array.from({ length: 40 }, (_, at) => `key ${at} \u{1f511}`);
      await setMany(
        store,
        keys.map((key, at) => entryOf(key, "old", { clock, version: NOW + at })),
      );
      const outcomes = await store.setNewest(
        keys.map((key) => entryOf(key, "new", { clock, version: NOW + 20 })),
      );
      assert.deepStrictEqual(outcomes, keys.map((_, at) => at <= 20 ? "stored" : "outdated"));
      const read = await getMany(store, keys);
      assert.deepStrictEqual(
        await Promise.all(read.map((entry) => entry?.value())),
        keys.map((_, at) => at <= 20 ? "new" : "old"),
      );
      assert.deepStrictEqual(await store.setNewest([]), []);
    });

    test("setNewest() keeps times, and drops what is over as a delete would", async ({ backend, clock }) => {
      const store = versioned(backend);
      await store.setNewest([entryOf("key", 1, { clock, ttlMs: 10, version: NOW })]);
      clock.advance(9);
      assert.equal(await valueOf(store, "key"), 1);
      clock.advance(1);
      assert.equal(await store.get("key"), undefined);
      const over = entryOf("key", 2, { clock, ttlMs: 0, version: NOW + 1 });
      assert.deepStrictEqual(await store.setNewest([over]), ["stored"]);
      assert.equal(await store.get("key"), undefined);
      const older = entryOf("key", 3, { clock, version: NOW });
      assert.deepStrictEqual(await store.setNewest([older]), ["outdated"]);
    });

    test("deleteUpTo() removes what is not newer, and counts what was live", async ({ backend, clock }) => {
      const store = versioned(backend);
      const held: [string, number][] = [["older", NOW - 1], ["same", NOW], ["newer", NOW + 1]];
      for (const [key, version] of held) {
        await store.set(key, entryOf(key, key, { clock, version }));
      }
      await store.set("over", entryOf("over", 1, { clock, ttlMs: 5, version: 1 }));
      clock.advance(5);
      const keys = ["older", "newer", "same", "missing", "over", "older"];
      assert.equal(await store.deleteUpTo(keys, NOW), 2);
      assert.deepStrictEqual(await liveKeys(store, keys), ["newer"]);
      assert.equal(await store.deleteUpTo(keys, NOW), 0);
      assert.equal(await store.deleteUpTo([], NOW), 0);
    });

    test("setNewest() after deleteUpTo() takes only what is newer than the delete", async ({ backend, clock }) => {
      const store = versioned(backend);
      await store.deleteUpTo(["key"], NOW);
      for (const version of [NOW - 1, NOW]) {
        const late = entryOf("key", "late", { clock, version });
        assert.deepStrictEqual(await store.setNewest([late]), ["outdated"]);
      }
      assert.equal(await store.get("key"), undefined);
      const newer = entryOf("key", "newer", { clock, version: NOW + 1 });
      assert.deepStrictEqual(await store.setNewest([newer]), ["stored"]);
      assert.equal(await valueOf(store, "key"), "newer");
    });

    test("the mark of a delete is a miss to every reader, and no damage", async ({ backend, clock, reports }) => {
      const store = versioned(backend);
      const keys = ["", "ö", "\ud800", "long ".repeat(100)];
      await setMany(store, keys.map((key) => entryOf(key, 1, { clock })));
      assert.equal(await store.deleteUpTo(keys, NOW), 4);
      for (const key of keys) {
        assert.equal(await store.get(key), undefined);
        assert.equal(await store.exists(key), false);
        assert.equal(await store.delete(key), false);
        await store.deleteUpTo([key], NOW);
      }
      assert.deepStrictEqual(await getMany(store, keys), keys.map(() => undefined));
      assert.deepStrictEqual(await liveKeys(store, keys), []);
      assert.equal((await store.getStats()).corruptions ?? 0, 0);
      assert.equal((await store.getStats()).entries ?? 0, 0);
      assert.equal(await store.clear(), 0);
      assert.deepStrictEqual(reports, []);
    });

    test("set(), delete() and clear() take the mark of a delete away", async ({ backend, clock }) => {
      const store = versioned(backend);
      const keys = ["set", "deleted", "cleared"];
      await store.deleteUpTo(keys, NOW);
      await store.set("set", entryOf("set", 1, { clock, version: 1 }));
      assert.equal(await valueOf(store, "set"), 1);
      await store.delete("deleted");
      await store.clear("c*");
      for (const key of ["deleted", "cleared"]) {
        const older = entryOf(key, "older", { clock, version: 1 });
        assert.deepStrictEqual(await store.setNewest([older]), ["stored"]);
      }
    });

    test("what claims a version from the far future has none", async ({ backend, clock }) => {
      const store = versioned(backend);
      await store.set("key", entryOf("key", "hostile", { clock, version: HOSTILE }));
      const entry = entryOf("key", "honest", { clock, version: NOW });
      assert.deepStrictEqual(await store.setNewest([entry]), ["stored"]);
      assert.equal(await valueOf(store, "key"), "honest");
      await store.deleteUpTo(["key"], HOSTILE);
      assert.deepStrictEqual(await store.setNewest([entry]), ["stored"]);
    });

    test("clear() leaves what it is asked to keep", async ({ backend, clock }) => {
      const store = versioned(backend);
      const keys = ["kept:1", "kept:2", "gone:1", "gone:2"];
      await store.setNewest(keys.map((key) => entryOf(key, key, { clock })));
      const keeps = (key: string): boolean => key.startsWith("kept:");
      assert.equal(await store.clear("*:1", { keeps }), 1);
      assert.deepStrictEqual(await liveKeys(store, keys), ["gone:2", "kept:1", "kept:2"]);
      assert.equal(await store.clear(undefined, { keeps }), 1);
      assert.deepStrictEqual(await liveKeys(store, keys), ["kept:1", "kept:2"]);
      assert.equal(await store.clear(), 2);
    });

    test("setNewest() and deleteUpTo() end with their signal", async ({ backend, clock }) => {
      const store = versioned(backend);
      const reason = new Error("no longer wanted");
      const signal = AbortSignal.abort(reason);
      const entry = entryOf("key", 1, { clock });
      await assert.rejects(store.setNewest([entry], { signal }), reason);
      await assert.rejects(store.deleteUpTo(["key"], 1, { signal }), reason);
    });

    const seed = freshSeed();
    test(`the newest of concurrent writes and deletes stays (seed ${seed})`, async ({ backend, clock }) => {
      const store = versioned(backend);
      const random = seededRandom(seed);
      const versions = Array.from({ length: 60 }, (_, at) => NOW + at);
      for (let at = versions.length - 1; at > 0; at--) {
        const other = Math.floor(random() * (at + 1));
        [versions[at], versions[other]] = [versions[other]!, versions[at]!];
      }
      await Promise.all(
        versions.map((version) =>
          version % 3 === 0
            ? store.deleteUpTo(["key"], version)
            : store.setNewest([entryOf("key", version, { clock, version })])
        ),
      );
      const newest = NOW + 59;
      assert.equal(await valueOf(store, "key"), newest % 3 === 0 ? undefined : newest);
    });
  });
}
