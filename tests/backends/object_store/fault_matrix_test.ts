import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, describe, it } from "node:test";
import { METADATA_NAME } from "../../../backends/_object_store/object_metadata.ts";
import { systemClock } from "../../../src/clock.ts";
import { isCacheError } from "../../../src/errors.ts";
import type { BackendReport, Clock } from "../../../src/types.ts";
import { valueOf } from "../../backend_suite/harness.ts";
import { bytesFrom, bytesOfSize, framed, readFrame } from "../../backend_suite/stream_parts.ts";
import { entryOf } from "../../fakes/entries.ts";
import {
  breaks,
  breaksInBody,
  endsInBody,
  type Fault,
  flips,
  losesAnswer,
  replaces,
  shortens,
} from "../../servers/fault_proxy.ts";
import { type ObjectBackend, type ProxiedStore, ProxiedStores, WAYS } from "./proxied_stores.ts";
import { setImmediate } from "node:timers";

let stores: ProxiedStores;
before(async () => {
  stores = await ProxiedStores.start();
});
after(() => stores.stop());

const HOUR_MS = 3_600_000;

/** Troubles after which another attempt may do better. */
const TRANSIENT: Record<string, (store: ProxiedStore) => Fault> = {
  "500": ({ refuses }) => refuses(500, "InternalError"),
  "503 SlowDown": ({ refuses }) => refuses(503, "SlowDown"),
  "429": ({ refuses }) => refuses(429, "TooManyRequests"),
  "a connection that breaks": () => breaks,
  "an answer that is lost": () => losesAnswer,
};

/** Those that are tried at every request of a stream. */
const STREAMED = new Set(["503 SlowDown", "an answer that is lost"]);

/** Refusals after which none may. */
const REFUSALS: readonly (readonly [status: number, code: string])[] = [
  [400, "InvalidRequest"],
  [401, "Unauthorized"],
  [403, "AccessDenied"],
  [409, "Conflict"],
  [413, "EntityTooLarge"],
];

/** Damage to a body that is a miss; how many answers have to have it. */
const DAMAGE: Record<string, readonly [fault: Fault, times: number]> = {
  "breaks in the middle, each time": [breaksInBody, 9],
  "ends early, each time": [endsInBody, 9],
  "is shorter than it was": [shortens, 9],
  "has another bit": [flips, 9],
};

/** A clock on which what asks for a wait of seven seconds has it at once. */
class RecordedWaits {
  /** Those that were asked for, in milliseconds. */
  readonly taken: number[] = [];
  readonly clock: Clock = {
    now: () => systemClock.now(),
    recent: () => systemClock.recent(),
    schedule: (callback, delay, keepsAlive) => {
      if (delay === 7000) this.taken.push(delay);
      return systemClock.schedule(callback, delay === 7000 ? 0 : delay, keepsAlive);
    },
  };
}

for (const way of WAYS) {
  describe(`the way to ${way}`, () => {
    const withStore = async (
      body: (
        parts: {
          readonly store: ProxiedStore;
          readonly backend: ObjectBackend;
          readonly reports: readonly BackendReport[];
        },
      ) => Promise<void>,
      config: Record<string, unknown> = {},
      clock: Clock = systemClock,
    ): Promise<void> => {
      const store = stores.of(way);
      store.proxy.clear();
      const reports: BackendReport[] = [];
      const context = {
        clock,
        report: (report: BackendReport) => void reports.push(report),
      };
      const backend = store.open(context, config);
      // What comes with the first request of all: keys, tokens.
      await backend.exists("warm");
      store.proxy.clear();
      try {
        await body({ store, backend, reports });
      } finally {
        store.proxy.clear();
        await backend.close();
      }
    };

    for (const [trouble, faultOf] of Object.entries(TRANSIENT)) {
      it(`is tried again after ${trouble}`, () =>
        withStore(async ({ store, backend, reports }) => {
          const { proxy } = store;
          const fault = faultOf(store);
          const entry = entryOf("key", trouble);
          const count = async (operate: () => Promise<unknown>): Promise<number> => {
            proxy.requests.length = 0;
            await operate();
            return proxy.requests.length;
          };
          const operations: Record<string, () => Promise<void>> = {
            set: async () => assert.equal(await backend.set("key", entry), true),
            get: async () => assert.equal(await valueOf(backend, "key"), trouble),
            exists: async () => assert.equal(await backend.exists("key"), true),
            clear: async () => void await backend.clear("k*"),
            deleteMany: async () => void await backend.deleteMany(["key", "other"]),
          };
          for (const [name, operate] of Object.entries(operations)) {
            await backend.set("key", entry);
            const usual = await count(operate);
            for (let at = 0; at < usual; at++) {
              await backend.set("key", entry);
              proxy.inject(...Array.from({ length: at }, () => undefined), fault);
              assert.equal(await count(operate), usual + 1, `${name}, request ${at}`);
            }
          }
          assert.deepStrictEqual(reports, []);
        }));

      if (STREAMED.has(trouble)) {
        it(`streams on after ${trouble} at any request`, () =>
          withStore(async ({ store, backend }) => {
            const { proxy, partBytes } = store;
            const fault = faultOf(store);
            const { entry, frame } = framed("stream", bytesOfSize(partBytes + 1000), {});
            const put = (): Promise<unknown> =>
              backend.setStream("stream", { ...entry, frame: bytesFrom([frame.slice()]) });
            await put();
            const usual = proxy.requests.length;
            assert.ok(usual >= 2, `${usual} requests`);
            for (let at = 0; at < usual; at++) {
              await backend.delete("stream");
              proxy.clear();
              proxy.inject(...Array.from({ length: at }, () => undefined), fault);
              assert.equal(await put(), "stored", `request ${at} of ${usual}`);
              const read = await readFrame(await backend.getStream("stream"));
              assert.ok(read !== undefined && isSame(read, frame));
            }
            proxy.inject(undefined, fault);
            const read = await readFrame(await backend.getStream("stream"));
            assert.ok(read !== undefined && isSame(read, frame));
            await backend.delete("stream");
          }));
      }
    }

    it("is tried again when no answer comes", () =>
      withStore(async ({ store, backend }) => {
        const { proxy } = store;
        proxy.inject(() => {});
        assert.equal(await backend.set("key", entryOf("key", 1)), true);
        proxy.inject(() => {});
        assert.equal(await valueOf(backend, "key"), 1);
        assert.ok(proxy.requests.length >= 4);
      }, { requestTimeout: "1s" }));

    it("is given up after so many attempts, and by name", () =>
      withStore(async ({ store, backend }) => {
        const { proxy, refuses } = store;
        proxy.always(refuses(503, "SlowDown"));
        for (const operate of [() => backend.get("key"), () => backend.exists("key")]) {
          proxy.requests.length = 0;
          await assert.rejects(operate, (error) => isCacheError(error, "unavailable"));
          assert.equal(proxy.requests.length, 2);
        }
      }, { maxAttempts: 2 }));

    it("waits as long as the store asks for, and no longer than its signal", () =>
      withStore(async ({ store, backend }) => {
        const { proxy, refuses } = store;
        proxy.always(refuses(503, "SlowDown", { "retry-after": "600" }));
        const controller = new AbortController();
        const reason = new Error("the tier's deadline");
        const reading = backend.get("key", { signal: controller.signal });
        while (proxy.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
        controller.abort(reason);
        await assert.rejects(reading, (error) => error === reason);
        assert.equal(proxy.requests.length, 1);
      }));

    it("waits as long as the store asks for, at any request", () => {
      const waits = new RecordedWaits();
      return withStore(
        async ({ store, backend }) => {
          const { proxy, refuses, partBytes } = store;
          const { entry, frame } = framed("stream", bytesOfSize(partBytes + 1000), {});
          const breaksOff = async function* (): AsyncGenerator<Uint8Array> {
            yield frame.slice();
            throw new Error("it breaks off");
          };
          const operations: Record<string, () => Promise<unknown>> = {
            set: () => backend.set("key", entryOf("key", 1)),
            get: () => backend.get("key"),
            exists: () => backend.exists("key"),
            setStream: () =>
              backend.setStream("stream", { ...entry, frame: bytesFrom([frame.slice()]) }),
            "setStream that fails": () =>
              assert.rejects(
                backend.setStream("stream", { ...entry, frame: ReadableStream.from(breaksOff()) }),
              ),
            getStream: async () => await readFrame(await backend.getStream("stream")),
            purgeExpired: () => backend.purgeExpired(),
            delete: () => backend.delete("stream"),
            clear: () => backend.clear("k*"),
          };
          for (const [name, operate] of Object.entries(operations)) {
            const prepare = async (): Promise<void> => {
              await backend.set("key", entryOf("key", 1));
              if (name === "delete" || name === "getStream") await operations.setStream!();
              proxy.clear();
              waits.taken.length = 0;
            };
            await prepare();
            await operate();
            const asked = proxy.requests.map(({ method, path }) => `${method} ${path}`);
            for (const [at, request] of asked.entries()) {
              await prepare();
              const fault = refuses(503, "SlowDown", { "retry-after": "7" });
              proxy.inject(...Array.from({ length: at }, () => undefined), fault);
              await operate();
              assert.deepEqual(waits.taken, [7000], `${name}: ${request}`);
            }
          }
        },
        {},
        waits.clock,
      );
    });

    it("waits until the time that the store names, by the store's clock", () => {
      const waits = new RecordedWaits();
      return withStore(
        async ({ store: { proxy, refuses }, backend }) => {
          const now = Date.now();
          const [date, end] = [now, now + 7000].map((time) => new Date(time).toUTCString());
          proxy.inject(refuses(503, "SlowDown", { date: date!, "retry-after": end! }));
          assert.equal(await backend.get("nothing"), undefined);
          assert.deepEqual(waits.taken, [7000]);
          assert.equal(proxy.requests.length, 2);
        },
        {},
        waits.clock,
      );
    });

    for (const [status, code] of REFUSALS) {
      it(`is not tried again after ${status}`, () =>
        withStore(async ({ store, backend }) => {
          const { proxy, refuses } = store;
          proxy.always(refuses(status, code));
          const operations = {
            get: () => backend.get("key"),
            exists: () => backend.exists("key"),
            set: () => backend.set("key", entryOf("key", 1)),
            clear: () => backend.clear(),
          };
          for (const [name, operate] of Object.entries(operations)) {
            proxy.requests.length = 0;
            await assert.rejects(
              operate,
              (error) => isCacheError(error) && !error.message.includes("signature"),
              name,
            );
            // A token that is refused may be an old one: a new one is fetched, once.
            const most = way === "GCS" && status === 401 ? 2 : 1;
            assert.ok(proxy.requests.length <= most, `${name}: ${proxy.requests.length} requests`);
          }
        }));
    }

    for (const [what, [fault, times]] of Object.entries(DAMAGE)) {
      it(`gives a miss that is told when a body ${what}`, () =>
        withStore(async ({ store, backend, reports }) => {
          const value = bytesOfSize(100_000);
          await backend.set("body", entryOf("body", value));
          store.proxy.inject(...Array.from({ length: times }, () => fault));
          assert.equal(await backend.get("body"), undefined);
          assert.deepStrictEqual(reports.map(({ kind, key }) => [kind, key]), [
            ["corrupt", "body"],
          ]);
          store.proxy.clear();
          await backend.set("body", entryOf("body", value));
          store.proxy.inject(...Array.from({ length: 2 }, () => fault));
          const [read] = await backend.getMany(["body"]);
          if (read !== undefined) assert.deepStrictEqual(await read.value(), value);
        }));
    }

    it("gives the value when a body breaks once", () =>
      withStore(async ({ store, backend, reports }) => {
        const value = bytesOfSize(100_000);
        await backend.set("body", entryOf("body", value));
        for (const fault of [breaksInBody, endsInBody]) {
          store.proxy.inject(fault);
          assert.deepStrictEqual(await valueOf(backend, "body"), value);
        }
        assert.deepStrictEqual(reports, []);
      }));

    it("fails a stream whose body ends early", () =>
      withStore(async ({ store, backend }) => {
        const { entry, frame } = framed("body", bytesOfSize(100_000), {});
        await backend.setStream("body", { ...entry, frame: bytesFrom([frame.slice()]) });
        for (const fault of [breaksInBody, endsInBody]) {
          store.proxy.inject(fault);
          const read = await backend.getStream("body");
          await assert.rejects(readFrame(read));
        }
        store.proxy.clear();
        assert.deepStrictEqual(await readFrame(await backend.getStream("body")), frame);
      }));

    it("streams in one request, whatever the answer says of its length, and ranges beyond the end", () =>
      withStore(async ({ store, backend }) => {
        const { proxy } = store;
        const { entry, frame } = framed("length", bytesOfSize(100_000), {});
        await backend.setStream("length", { ...entry, frame: bytesFrom([frame.slice()]) });
        await backend.get("length");
        proxy.clear();
        assert.deepStrictEqual(await readFrame(await backend.getStream("length")), frame);
        assert.deepStrictEqual(proxy.requests.map(({ method }) => method), ["GET"]);
        const part = { range: { offset: frame.length - 10, length: Number.MAX_SAFE_INTEGER } };
        const last = await backend.getStream("length", part);
        assert.equal(last?.frameLength, frame.length);
        assert.deepStrictEqual(await readFrame(last), frame.subarray(-10));
        for (const range of [{ offset: frame.length, length: 5 }, { offset: 7, length: 0 }]) {
          const read = await backend.getStream("length", { range });
          assert.equal(read?.frameLength, frame.length);
          assert.deepStrictEqual(await readFrame(read), new Uint8Array(0));
          assert.equal(await backend.getStream("nothing", { range }), undefined);
        }
        const anotherState = { etag: '"another"', "x-goog-generation": "1" };
        for (const others of [{}, anotherState]) {
          proxy.inject(replaces({ "content-length": undefined, ...others }));
          const read = await backend.getStream("length");
          assert.equal(read?.frameLength, frame.length);
          assert.deepStrictEqual(await readFrame(read), frame);
        }
        // A refusal for another reason than where the range lies stays one.
        proxy.always(
          store.refuses(400, "InvalidRequest"),
          ({ headers }) => (headers["range"] ?? headers["x-ms-range"]) !== undefined,
        );
        await assert.rejects(
          backend.getStream("length", { range: { offset: 7, length: 5 } }),
          (error) => isCacheError(error, "backend"),
        );
      }));

    it("sends parts whole, though their memory is used again, whatever happens to one of them", () =>
      withStore(async ({ store, backend }) => {
        const { proxy, partBytes } = store;
        const { entry, frame } = framed("parts", bytesOfSize(4 * partBytes + 1000), {});
        for (const fault of [undefined, losesAnswer, breaks]) {
          proxy.clear();
          // The first request begins the upload.
          proxy.inject(undefined, undefined, fault);
          const pieces = Array.from(
            { length: 8 },
            (_, at) => frame.slice(at * frame.length / 8, (at + 1) * frame.length / 8),
          );
          const storing = backend.setStream("parts", { ...entry, frame: bytesFrom(pieces) });
          assert.equal(await storing, "stored");
          const held = await readFrame(await backend.getStream("parts"));
          assert.ok(held !== undefined && Buffer.from(held).equals(frame), String(fault));
          await backend.delete("parts");
        }
      }));

    it("writes over what it has read or written in one request, and looks where another has written since", () =>
      withStore(async ({ store, backend }) => {
        const { proxy } = store;
        const other = store.open({ clock: systemClock, report: () => {} });
        const methods = async (run: () => Promise<unknown>): Promise<string[]> => {
          proxy.clear();
          await run();
          return proxy.requests.map(({ method }) => method);
        };
        const put = async (by: ObjectBackend, version: number): Promise<unknown> =>
          (await by.setNewest!([entryOf("known", version, { version })]))[0];
        // Finds out what the store can do.
        await Promise.all([put(backend, 1), put(other, 1)]);
        await put(backend, 2);
        assert.equal((await methods(() => put(backend, 3))).length, 1);
        await other.get("known");
        assert.equal((await methods(() => put(other, 4))).length, 1);
        // The store refuses what was meant for the state before, and a look tells of the other.
        assert.equal((await methods(() => put(backend, 5))).length, 3);
        assert.equal(await put(other, 4), "outdated");
        assert.equal(await valueOf(other, "known"), 5);
        // A newer one that is remembered is looked at as well: it may have been removed since.
        assert.equal((await methods(() => put(backend, 4))).length, 1);
        await other.delete("known");
        assert.equal(await put(backend, 4), "stored");
        await backend.get("nothing");
        assert.equal(await put(other, 6), "stored");
        assert.equal(await backend.deleteUpTo!(["known"], 7), 1);
        assert.equal(await other.exists("known"), false);
        assert.equal(await put(other, 6), "outdated");
        await other.close();
      }));

    it("writes what it has found expired, and removed, as what was never there", () =>
      withStore(async ({ store, backend }) => {
        const { proxy } = store;
        const expired = entryOf("over", 1, { version: 1 }).withTimes(1, 2);
        await backend.set("over", entryOf("over", 0, { version: 1 }));
        await backend.setNewest!([entryOf("over", 1, { version: 2 })]);
        await store.put("over", await expired.encode(), "1;1;2;1");
        proxy.clear();
        assert.equal(await backend.get("over"), undefined);
        assert.deepStrictEqual(await backend.setNewest!([entryOf("over", 3, { version: 3 })]), [
          "stored",
        ]);
        const methods = proxy.requests.map(({ method }) => method);
        assert.equal(methods[0], "GET");
        assert.equal(methods.filter((method) => method === "PUT" || method === "POST").length, 1);
        assert.equal(await valueOf(backend, "over"), 3);
      }));

    it("takes a write for done whose answer was lost, though the state that it was meant for is gone", () =>
      withStore(async ({ store, backend }) => {
        await backend.setNewest!([entryOf("lost", 1, { version: 1 })]);
        await backend.setNewest!([entryOf("lost", 2, { version: 2 })]);
        store.proxy.inject(losesAnswer);
        const outcome = await backend.setNewest!([entryOf("lost", 3, { version: 3 })]);
        assert.deepStrictEqual(outcome, ["stored"]);
        assert.equal(await valueOf(backend, "lost"), 3);
        store.proxy.inject(losesAnswer);
        assert.equal(await backend.deleteUpTo!(["lost"], 4), 1, "it has removed a live one");
        assert.equal(await backend.exists("lost"), false);
      }));

    it("is looked at again when a stream's object is replaced meanwhile, eight times in all", () =>
      withStore(async ({ store: { proxy }, backend, reports }) => {
        const { entry, frame } = framed("replaced", bytesOfSize(100_000), {});
        await backend.setStream("replaced", { ...entry, frame: bytesFrom([frame.slice()]) });
        // What stands beside it has to be read from its start, and that is of another one by then.
        const headers = {
          etag: '"0123456789abcdef0123456789abcdef"',
          "x-goog-generation": "1",
          ...Object.fromEntries(
            ["amz", "goog", "ms"].map((vendor) => [`x-${vendor}-meta-${METADATA_NAME}`, "none"]),
          ),
        };
        const looks = Array.from({ length: 8 }, () => [replaces(headers), undefined]);
        for (const range of [undefined, { offset: 100, length: 500 }]) {
          proxy.clear();
          proxy.inject(...looks.slice(1).flat());
          const read = await readFrame(await backend.getStream("replaced", { range }));
          const wanted = range === undefined ? frame : frame.subarray(100, 600);
          assert.deepStrictEqual(read, wanted);
          assert.equal(proxy.requests.length, 15);
          proxy.clear();
          proxy.inject(...looks.flat());
          await assert.rejects(
            backend.getStream("replaced", { range }),
            (error) => isCacheError(error, "unavailable") && /changing/.test(error.message),
          );
          assert.equal(proxy.requests.length, 16);
        }
        assert.deepEqual(reports, [], "nothing is damaged");
      }));

    it("is not led astray by tags that are wrong", () =>
      withStore(async ({ store, backend }) => {
        const { proxy, partBytes } = store;
        // A begin whose answer was lost has left some.
        const leftBefore = await store.leftovers("tagged");
        const value = bytesOfSize(partBytes + 1000);
        const wrong = replaces({ etag: '"0123456789abcdef0123456789abcdef"' });
        const { entry, frame } = framed("tagged", value, {});
        proxy.always(wrong, ({ method }) => method === "PUT");
        const storing = backend.setStream("tagged", { ...entry, frame: bytesFrom([frame]) });
        // S3 is given the tags of the parts again, and refuses; the others go by other names.
        if (way.startsWith("S3")) {
          await assert.rejects(storing, (error) => isCacheError(error, "backend"));
          assert.equal(await backend.get("tagged"), undefined);
        } else {
          assert.equal(await storing, "stored");
          assert.deepStrictEqual(await valueOf(backend, "tagged"), value);
        }
        proxy.clear();
        assert.equal(await store.leftovers("tagged"), leftBefore);
        await backend.set("plain", entryOf("plain", 1));
        proxy.always(wrong);
        assert.equal(await valueOf(backend, "plain"), 1);
        assert.equal(await backend.exists("plain"), true);
      }));
  });
}

for (const way of ["S3 by the SDK", "S3 by fetch"] as const) {
  describe(`a clock that is not that of ${way}`, () => {
    it("is set by what the store says, and only once", async () => {
      const { proxy, open, refuses } = stores.of(way);
      proxy.clear();
      // A store whose clock is ahead, and which goes by it.
      const skewed: Fault = (parts) => {
        const theirs = Date.now() + HOUR_MS;
        const date = new Date(theirs).toUTCString();
        const signed = timeOf(String(parts.request.headers["x-amz-date"]));
        return Math.abs(signed - theirs) > 900_000
          ? refuses(403, "RequestTimeTooSkewed", { date })(parts)
          : refuses(404, "NoSuchKey", { date })(parts);
      };
      proxy.always(skewed);
      const backend = open({ clock: systemClock, report: () => {} });
      assert.equal(await backend.get("key"), undefined);
      assert.equal(proxy.requests.length, 2);
      assert.equal(await backend.get("key"), undefined);
      assert.equal(proxy.requests.length, 3, "what was learnt is kept");
      await backend.close();
    });

    it("is named when it cannot be set", async () => {
      const { proxy, open, refuses } = stores.of(way);
      proxy.clear();
      proxy.always(refuses(403, "RequestTimeTooSkewed"));
      const backend = open({ clock: systemClock, report: () => {} });
      await assert.rejects(
        backend.get("key"),
        (error) => isCacheError(error, "unavailable") && /clock/.test(error.message),
      );
      assert.equal(proxy.requests.length, 2);
      proxy.clear();
      await backend.close();
    });
  });
}

describe("a clock that is not that of Azure", () => {
  it("is named, and only when it is why a request is refused", async () => {
    const { proxy, open, refuses } = stores.of("Azure");
    for (const [ahead, reason] of [[-1, /clock/], [0, /credentials/], [1, /clock/]] as const) {
      proxy.clear();
      proxy.always((parts) => {
        const date = new Date(Date.now() + ahead * HOUR_MS).toUTCString();
        return refuses(403, "AuthenticationFailed", { date })(parts);
      });
      const backend = open({ clock: systemClock, report: () => {} });
      for (const operate of [() => backend.get("key"), () => backend.exists("key")]) {
        await assert.rejects(
          operate,
          (error) => isCacheError(error, "unavailable") && reason.test(error.message),
        );
      }
      assert.ok(proxy.requests.length <= 4);
      proxy.clear();
      await backend.close();
    }
  });
});

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

/** `20260101T000000Z` as epoch milliseconds. */
function timeOf(date: string): number {
  return Date.parse(
    date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"),
  );
}
