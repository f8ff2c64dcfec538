import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { createAzureBackend } from "../../../backends/azure.ts";
import { createGcsBackend } from "../../../backends/gcs.ts";
import { createS3Backend, S3Backend } from "../../../backends/s3.ts";
import { systemClock } from "../../../src/clock.ts";
import { type CacheErrorCode, isCacheError } from "../../../src/errors.ts";
import type { BackendReport } from "../../../src/types.ts";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { answers } from "../../servers/fault_proxy.ts";
import { type S3Server, s3Server } from "../../servers/s3_server.ts";
import {
  type ObjectBackend,
  OTHER_CREDENTIALS,
  type ProxiedStore,
  ProxiedStores,
  WAYS,
} from "./proxied_stores.ts";

let stores: ProxiedStores;
before(async () => {
  stores = await ProxiedStores.start();
});
after(() => stores.stop());

const context = { clock: systemClock, report: () => {} };
const TEXT =
  "something else that is a bit longer than the header of a frame would be, and a bit more";

for (const way of [...WAYS, ...OTHER_CREDENTIALS]) {
  describe(`what is wrong with ${way}`, () => {
    const withStore = async (
      body: (
        parts: {
          readonly store: ProxiedStore;
          readonly backend: ObjectBackend;
          readonly reports: readonly BackendReport[];
        },
      ) => Promise<void>,
      configOf: (store: ProxiedStore) => Record<string, unknown> = () => ({}),
    ): Promise<void> => {
      const store = stores.of(way);
      store.proxy.clear();
      const reports: BackendReport[] = [];
      const report = (report: BackendReport): void => void reports.push(report);
      const backend = store.open({ ...context, report }, configOf(store));
      try {
        await body({ store, backend, reports });
        const seen = inspect([backend, reports, await backend.getStats()], {
          depth: 12,
          showHidden: true,
        });
        for (const secret of store.secrets) assert.ok(!seen.includes(secret));
      } finally {
        store.proxy.clear();
        await backend.close();
      }
    };
    const isNamed = (
      code: CacheErrorCode,
      message: RegExp,
      { secrets }: ProxiedStore,
    ) =>
    (error: unknown): boolean => {
      const seen = inspect(error, { depth: 12, showHidden: true }) + String(error);
      for (const secret of secrets) assert.ok(!seen.includes(secret), "a secret is shown");
      assert.ok(isCacheError(error, code), seen);
      assert.match(error.message, message);
      return true;
    };
    const everything = (backend: ObjectBackend): Record<string, () => Promise<unknown>> => ({
      get: () => backend.get("key"),
      exists: () => backend.exists("key"),
      set: () => backend.set("key", entryOf("key", 1)),
      delete: () => backend.delete("key"),
      clear: () => backend.clear(),
      getStream: () => backend.getStream("key"),
    });

    it("is named when there is no such place", () =>
      withStore(async ({ store, backend }) => {
        const wanted = isNamed("unavailable", /there is no such (?:bucket|container)/, store);
        for (const [name, operate] of Object.entries(everything(backend))) {
          await assert.rejects(operate, wanted, name);
        }
      }, ({ nowhere }) => nowhere));

    it("is named when the credentials are refused", () =>
      withStore(async ({ store, backend }) => {
        const operations = everything(backend);
        const unavailable = isNamed("unavailable", /credentials/, store);
        // Some stores tell a wrong key from one that is not allowed to.
        const wanted = (error: unknown): boolean =>
          isCacheError(error, "backend")
            ? isNamed("backend", /credentials/, store)(error)
            : unavailable(error);
        for (const [name, operate] of Object.entries(operations)) {
          await assert.rejects(operate, wanted, name);
        }
      }, ({ strangers }) => strangers));

    it("is named when the credentials do not allow to list", () =>
      withStore(async ({ store, backend }) => {
        const { proxy, refuses } = store;
        const denied = way === "GCS"
          ? refuses(403, "forbidden")
          : way.startsWith("Azure")
          ? refuses(403, "AuthorizationPermissionMismatch")
          : refuses(403, "AccessDenied");
        proxy.always(
          denied,
          ({ method, path }) => method === "GET" && /list-type=2|comp=list|[/]o\?/.test(path),
        );
        assert.equal(await backend.set("key", entryOf("key", 1)), true);
        assert.equal(await valueOf(backend, "key"), 1);
        const wanted = isNamed("backend", /do not allow it: they need to .*list/, store);
        await assert.rejects(backend.clear("k*"), wanted);
        await assert.rejects(backend.purgeExpired(), wanted);
        await assert.rejects(async () => {
          for await (const _ of backend.keys());
        }, wanted);
        assert.equal(await backend.exists("key"), true);
      }));

    it("is named when something else answers there", () =>
      withStore(async ({ store, backend }) => {
        store.proxy.always(answers(200, "<!doctype html><title>Welcome</title>", {
          "content-type": "text/html",
        }));
        await assert.rejects(
          backend.clear(),
          (error) => isCacheError(error, "unavailable") || isCacheError(error, "backend"),
        );
        assert.equal(await backend.get("key").catch(() => undefined), undefined);
      }));

    it("is a miss that is told when an object is of foreign origin", () =>
      withStore(async ({ store, backend, reports }) => {
        for (const [at, text] of ["", "x", TEXT].entries()) {
          await store.put(`foreign${at}`, new TextEncoder().encode(text));
          assert.equal(await backend.get(`foreign${at}`), undefined);
          assert.equal(await backend.exists(`foreign${at}`), false);
          assert.equal(await backend.getStream(`foreign${at}`), undefined);
          assert.equal(reports.length, 2 * (at + 1));
          await backend.set(`foreign${at}`, entryOf(`foreign${at}`, at));
          assert.equal(await valueOf(backend, `foreign${at}`), at);
        }
        assert.deepStrictEqual([...new Set(reports.map(({ kind }) => kind))], ["corrupt"]);
      }));

    it("does no harm when metadata is stripped", () =>
      withStore(async ({ store, backend }) => {
        await store.put("stripped", await entryOf("stripped", "value").encode());
        assert.equal(await backend.exists("stripped"), true);
        assert.equal(await valueOf(backend, "stripped"), "value");
        assert.ok(await backend.getStream("stripped") !== undefined);
        assert.equal(await backend.delete("stripped"), true);
        const over = entryOf("stripped", "value", { clock: systemClock, ttlMs: -1 });
        await store.put("stripped", await over.encode());
        assert.equal(await backend.exists("stripped"), false);
        assert.equal(await backend.get("stripped"), undefined);
      }));
  });
}

describe("what is wrong with S3 in particular", () => {
  let server: S3Server;
  before(async () => {
    server = await s3Server();
  });
  after(() => server.stop());

  for (const transport of ["sdk", "fetch"]) {
    it(`is named when the bucket is somebody else's (${transport})`, async () => {
      const credentials = { accessKeyId: "otherkey", secretAccessKey: "othersecret" };
      const awsConfig = { ...server.awsConfig, credentials };
      const backend = new S3Backend({ bucket: server.bucket, awsConfig, transport });
      for (const operate of [() => backend.get("a"), () => backend.clear()]) {
        await assert.rejects(
          operate,
          (error) => isCacheError(error, "backend") && /do not allow it/.test(error.message),
        );
      }
      await backend.close();
    });

    it(`is named when the bucket is in another region (${transport})`, async () => {
      const { proxy, open, refuses } = stores.of(
        transport === "sdk" ? "S3 by the SDK" : "S3 by fetch",
      );
      for (
        const [status, code] of [
          [301, "PermanentRedirect"],
          [400, "AuthorizationHeaderMalformed"],
        ] as const
      ) {
        proxy.clear();
        proxy.always(refuses(status, code, { "x-amz-bucket-region": "eu-west-1" }));
        const backend = open(context);
        await assert.rejects(
          backend.get("key"),
          (error) => isCacheError(error, "unavailable") && /another region/.test(error.message),
          code,
        );
        await backend.close();
      }
      proxy.clear();
    });

    it(`is named when the store does not take the bucket's name (${transport})`, async () => {
      const { proxy, open, refuses } = stores.of(
        transport === "sdk" ? "S3 by the SDK" : "S3 by fetch",
      );
      proxy.clear();
      proxy.always(refuses(400, "InvalidBucketName"));
      const backend = open(context);
      await assert.rejects(
        backend.get("key"),
        (error) => isCacheError(error, "unavailable") && /correct 'bucket'/.test(error.message),
      );
      proxy.clear();
      await backend.close();
    });
  }
});

describe("places that cannot be", () => {
  const token = (): Promise<string> => Promise.resolve("token");
  const azure = { accountName: "account", accountKey: btoa("key") };

  it("are refused when the backend is opened", () => {
    for (const container of ["", "ab", "Upper", "a--b", "-ab", "ab-", "a.b", "x".repeat(64), 7]) {
      assert.throws(() => createAzureBackend({ ...azure, container }, context), TypeError);
    }
    for (const bucket of ["", "a", "with space", "a/b", "x".repeat(300), 7, undefined]) {
      assert.throws(() => createGcsBackend({ token, bucket }, context), TypeError);
      assert.throws(() => createS3Backend({ bucket }, context), TypeError);
    }
  });
});
