import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, describe, it } from "node:test";
import { setImmediate } from "node:timers";
import { systemClock } from "../../../src/clock.ts";
import { isCacheError } from "../../../src/errors.ts";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import { bytesFrom, bytesOfSize, framed, readFrame } from "../../backend_suite/stream_parts.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import {
  breaks,
  breaksInBody,
  endsInBody,
  type Fault,
  losesAnswer,
} from "../../servers/fault_proxy.ts";
import {
  type ObjectBackend,
  OTHER_CREDENTIALS,
  type ProxiedStore,
  ProxiedStores,
  WAYS,
} from "./proxied_stores.ts";

/** How long an attempt may take, by the clock of the backend. */
const ATTEMPT_MS = 30_000;

let stores: ProxiedStores;
before(async () => {
  stores = await ProxiedStores.start();
});
after(() => stores.stop());

/** What befalls one request. Each lets its test know when it leaves the client waiting. */
const TROUBLES: Record<string, (store: ProxiedStore, waits: () => void) => Fault> = {
  "500": ({ refuses }) => refuses(500, "InternalError"),
  "503": ({ refuses }) => refuses(503, "SlowDown"),
  "403": ({ refuses }) => refuses(403, "AccessDenied"),
  "a connection that breaks": () => breaks,
  "an answer that is lost": () => losesAnswer,
  "an answer that breaks off": () => breaksInBody,
  "an answer that ends early": () => endsInBody,
  "no answer": (_, waits) => waits,
  "an answer that stands still": (_, waits) => async ({ forward, answer, cut }) => {
    const given = await forward();
    // One without a body is at its end, and its connection is used again.
    if (given.body.length === 0) return answer(given);
    cut(given, Math.floor(given.body.length / 2), "wait");
    waits();
  },
};

/** Those that are no different from others to a write. */
const OF_READS = new Set(["403", "503", "an answer that ends early"]);

/** Those after which a write may have been made, though nobody knows. */
const UNTOLD = /^an answer/;

for (const way of [...WAYS, ...OTHER_CREDENTIALS]) {
  describe(`streams to ${way} of which one request is in trouble`, () => {
    const withStore = async (
      body: (
        parts: {
          readonly store: ProxiedStore;
          readonly backend: ObjectBackend;
          readonly clock: FakeClock;
          /** Another, which tries again: a connection that ended unseen is no failure to it. */
          readonly sound: ObjectBackend;
        },
      ) => Promise<void>,
      config: Record<string, unknown> = {},
    ): Promise<void> => {
      const store = stores.of(way);
      store.proxy.clear();
      const clock = new FakeClock();
      const backend = store.open({ clock, report: () => {} }, config);
      const sound = store.open({ clock: systemClock, report: () => {} });
      // What comes with the first request of all: keys, tokens.
      for (const each of [backend, sound]) await each.exists("warm");
      store.proxy.clear();
      try {
        await body({ store, backend, clock, sound });
      } finally {
        store.proxy.clear();
        for (const each of [backend, sound]) await each.close();
      }
    };

    /** Puts a trouble at one request, and sees to it that the time of what waits for it ends. */
    const during = async <T>(
      { store, clock }: { readonly store: ProxiedStore; readonly clock: FakeClock },
      trouble: string,
      at: number,
      operate: () => Promise<T>,
    ): Promise<T> => {
      let isWaiting = false;
      let isOver = false;
      store.proxy.clear();
      store.proxy.inject(
        ...Array.from({ length: at }, () => undefined),
        TROUBLES[trouble]!(store, () => void (isWaiting = true)),
      );
      const operation = operate().finally(() => void (isOver = true));
      operation.catch(() => {});
      while (!isOver) {
        await new Promise((resolve) => setImmediate(resolve));
        if (!isWaiting) continue;
        isWaiting = false;
        // What has come of the answer is taken first.
        for (let turn = 0; turn < 20; turn++) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        await clock.advanceAsync(ATTEMPT_MS);
      }
      return await operation;
    };

    it("a write leaves what was there, or all of the new value, and nothing else", () =>
      withStore(async ({ store, backend, clock, sound }) => {
        const old = framed("written", bytesOfSize(1000), { version: 1 });
        const next = framed("written", bytesOfSize(store.partBytes + 1000), { version: 2 });
        const put = (to: ObjectBackend, { entry, frame }: typeof old): Promise<unknown> =>
          to.setStream("written", { ...entry, frame: bytesFrom([frame.slice()]) });
        await put(backend, next);
        const usual = store.proxy.requests.length;
        assert.ok(usual >= 2, `${usual} requests`);
        let isOld = false;
        for (const trouble of Object.keys(TROUBLES)) {
          for (let at = OF_READS.has(trouble) ? usual : 0; at < usual; at++) {
            const where = `${trouble} at request ${at} of ${usual}`;
            if (!isOld) assert.equal(await put(sound, old), "stored", where);
            const before = await store.leftovers("written");
            const outcome = await during(
              { store, clock },
              trouble,
              at,
              () => put(backend, next).catch((error) => error),
            );
            assert.ok(outcome === "stored" || isCacheError(outcome), `${where}: ${outcome}`);
            const read = await readFrame(await sound.getStream("written"));
            isOld = isSame(read, old.frame);
            assert.ok(isOld || isSame(read, next.frame), where);
            if (outcome === "stored") assert.ok(!isOld, where);
            else if (!UNTOLD.test(trouble)) assert.ok(isOld, where);
            // Nobody has heard of an upload whose begin was not answered.
            const unheard = at === 0 && UNTOLD.test(trouble) ? 1 : 0;
            const left = await store.leftovers("written") - before;
            assert.ok(left === 0 || left === unheard, `${where}: ${left} left`);
          }
        }
        assert.equal(await put(sound, next), "stored");
        await sound.delete("written");
      }, { maxAttempts: 1 }));

    it("a read gives a miss or a named failure, never another value, and the next one all", () =>
      withStore(async ({ store, backend, clock, sound }) => {
        const value = bytesOfSize(600_000);
        const cache = await CacheManager.open({
          backends: [{ backend, breaker: false }],
          clock,
        });
        const other = await CacheManager.open({ backends: [sound] });
        await other.setStream("read", bytesFrom([value.slice()]));
        for (const range of [undefined, { offset: 300_000, length: 5000 }]) {
          const { offset, length } = range ?? { offset: 0, length: Infinity };
          const wanted = value.subarray(offset, offset + length);
          const read = async (from = cache): Promise<Uint8Array | undefined> => {
            const stream = await from.getStream("read", range);
            return stream && await readFrame({ frameLength: 0, frame: stream });
          };
          store.proxy.clear();
          assert.ok(isSame(await read(), wanted));
          const usual = store.proxy.requests.length;
          assert.equal(usual, range === undefined ? 1 : 2);
          for (const trouble of Object.keys(TROUBLES)) {
            for (let at = 0; at < usual; at++) {
              const where = `${trouble} at request ${at} of ${usual}`;
              const outcome = await during(
                { store, clock },
                trouble,
                at,
                () => read().catch((error) => error),
              );
              if (outcome instanceof Uint8Array) assert.ok(isSame(outcome, wanted), where);
              else {assert.ok(
                  outcome === undefined || isCacheError(outcome),
                  `${where}: ${outcome}`,
                );}
              assert.ok(isSame(await read(other), wanted), where);
            }
          }
        }
        await Promise.all([cache.close(), other.close()]);
      }, { maxAttempts: 1 }));

    it("an answer that is slow is waited for, once, and no longer than the signal says", () =>
      withStore(async ({ store, backend, clock }) => {
        const { proxy, partBytes } = store;
        const { entry, frame } = framed("slow", bytesOfSize(partBytes + 1000), {});
        const operations: Record<string, (signal?: AbortSignal) => Promise<unknown>> = {
          set: (signal) => backend.set("small", entryOf("small", 1), options(signal)),
          get: async (signal) =>
            assert.equal(await (await backend.get("small", options(signal)))?.value(), 1),
          exists: (signal) => backend.exists("small", options(signal)),
          setStream: (signal) =>
            backend.setStream(
              "slow",
              { ...entry, frame: bytesFrom([frame.slice()]) },
              options(signal),
            ),
          getStream: async (signal) =>
            assert.ok(
              isSame(await readFrame(await backend.getStream("slow", options(signal))), frame),
            ),
        };
        for (const [name, operate] of Object.entries(operations)) {
          proxy.clear();
          await operate();
          const usual = proxy.requests.length;
          proxy.clear();
          proxy.always(async ({ forward, answer }) => {
            const given = await forward();
            await clock.advanceAsync(ATTEMPT_MS - 1000);
            answer(given);
          });
          await operate();
          assert.equal(proxy.requests.length, usual, name);
          if (name.startsWith("set")) continue;
          const controller = new AbortController();
          const reason = new Error("the tier's deadline");
          proxy.clear();
          proxy.always(() => controller.abort(reason));
          await assert.rejects(operate(controller.signal), (error) => error === reason, name);
          assert.equal(proxy.requests.length, 1, name);
        }
        proxy.clear();
        await backend.delete("slow");
      }));
  });
}

function options(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function isSame(left: Uint8Array | undefined, right: Uint8Array): boolean {
  return left !== undefined && Buffer.compare(left, right) === 0;
}
