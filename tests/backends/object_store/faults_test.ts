import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { S3Backend } from "../../../backends/s3.ts";
import { isCacheError } from "../../../src/errors.ts";
import type { BackendReport } from "../../../src/types.ts";
import { systemClock } from "../../../src/clock.ts";
import { valueOf } from "../../backend_suite/harness.ts";
import { entryOf } from "../../fakes/entries.ts";
import { type S3Server, s3Server } from "../../servers/s3_server.ts";

type Send = (url: string, init: RequestInit) => Promise<Response>;

let server: S3Server;
before(async () => {
  server = await s3Server();
});
after(() => server.stop());

/** A backend whose first requests come to what a test makes of them; the others reach the server. */
function open(
  faults: ((send: () => Promise<Response>) => Promise<Response>)[],
  config: Record<string, unknown> = {},
): { backend: S3Backend; reports: BackendReport[]; sent: string[] } {
  const reports: BackendReport[] = [];
  const sent: string[] = [];
  const { bucket, awsConfig } = server;
  const fetch: Send = (url, init) => {
    sent.push(String(init.method));
    const send = (): Promise<Response> => globalThis.fetch(url, init);
    return faults.shift()?.(send) ?? send();
  };
  const context = {
    clock: systemClock,
    report: (report: BackendReport) => void reports.push(report),
  };
  const options = { bucket, awsConfig, transport: "fetch", fetch, ...config };
  return { backend: new S3Backend(options, context, () => 0), reports, sent };
}

const answers = (status: number, code: string) => () =>
  Promise.resolve(new Response(`<Error><Code>${code}</Code></Error>`, { status }));
const cutShort = async (send: () => Promise<Response>): Promise<Response> => {
  const response = await send();
  const bytes = new Uint8Array(await response.arrayBuffer());
  const { status, headers } = response;
  return new Response(bytes.subarray(0, bytes.length - 1), { status, headers });
};
const flipped = async (send: () => Promise<Response>): Promise<Response> => {
  const response = await send();
  const bytes = new Uint8Array(await response.arrayBuffer());
  bytes[bytes.length - 1]! ^= 1;
  const { status, headers } = response;
  return new Response(bytes, { status, headers });
};

const transient = {
  "500 InternalError": answers(500, "InternalError"),
  "503 SlowDown": answers(503, "SlowDown"),
  "429": answers(429, "TooManyRequests"),
  "a broken connection": () => Promise.reject(new TypeError("fetch failed")),
};

describe("S3Backend in trouble", () => {
  for (const [name, fault] of Object.entries(transient)) {
    it(`get() and set() try again after ${name}`, async () => {
      const { backend, sent } = open([fault, fault]);
      assert.equal(await backend.set("retried", entryOf("retried", name)), true);
      assert.deepStrictEqual(sent, ["PUT", "PUT", "PUT"]);
      const reading = open([fault]);
      assert.equal(await valueOf(reading.backend, "retried"), name);
      assert.deepStrictEqual(reading.sent, ["GET", "GET"]);
      await Promise.all([backend.close(), reading.backend.close()]);
    });
  }

  it("get() gives up after maxAttempts, and by name", async () => {
    const fault = answers(503, "SlowDown");
    const { backend, sent } = open([fault, fault, fault], { maxAttempts: 2 });
    await assert.rejects(
      backend.get("key"),
      (error) => isCacheError(error, "unavailable") && /slow down \(SlowDown\)/.test(error.message),
    );
    assert.equal(sent.length, 2);
    await backend.close();
  });

  it("get() does not try again what is refused", async () => {
    const { backend, sent } = open([answers(403, "AccessDenied"), answers(400, "Nonsense")]);
    await assert.rejects(backend.get("key"), (error) => isCacheError(error, "backend"));
    await assert.rejects(backend.get("key"), (error) => isCacheError(error, "backend"));
    assert.equal(sent.length, 2);
    await backend.close();
  });

  it("get() of a body that ends early or is damaged is a miss that is told", async () => {
    for (const faults of [Array.from({ length: 4 }, () => cutShort), [flipped]]) {
      const { backend, reports } = open(faults);
      await backend.set("whole", entryOf("whole", 1)).catch(() => {});
      await backend.close();
      const reader = open(
        faults.length > 1 ? Array.from({ length: 4 }, () => cutShort) : [flipped],
      );
      await server.request("HEAD", `/${server.bucket}/strata/~k/whole`);
      assert.equal(await reader.backend.get("whole"), undefined);
      assert.deepStrictEqual(reader.reports.map(({ kind, key }) => [kind, key]), [[
        "corrupt",
        "whole",
      ]]);
      assert.deepStrictEqual(reports, []);
      await reader.backend.close();
    }
  });

  it("get() of a foreign object is a miss, and exists() agrees", async () => {
    const { backend, reports } = open([]);
    const body =
      "something else that is a bit longer than the header of a frame would be, and a bit more";
    await server.request("PUT", `/${server.bucket}/strata/~k/foreign`, { body });
    assert.equal(await backend.get("foreign"), undefined);
    assert.equal(await backend.exists("foreign"), false);
    assert.deepStrictEqual(reports.map(({ kind }) => kind), ["corrupt"]);
    await backend.close();
  });

  it("exists() reads the frame's own header where metadata was stripped", async () => {
    const { backend } = open([]);
    const body = await entryOf("stripped", "value").encode();
    await server.request("PUT", `/${server.bucket}/strata/~k/stripped`, { body });
    assert.equal(await backend.exists("stripped"), true);
    assert.equal(await valueOf(backend, "stripped"), "value");
    await backend.close();
  });

  for (const transport of ["fetch", "sdk"]) {
    it(`names what is wrong with the bucket or the credentials, and shows no secret (${transport})`, async () => {
      const secret = "wrong-secret-that-nobody-may-see";
      const wrong = { accessKeyId: "testkey", secretAccessKey: secret };
      const cases: [Record<string, unknown>, RegExp][] = [
        [{ bucket: "no-such-bucket", awsConfig: server.awsConfig }, /there is no such bucket/],
        [
          { bucket: server.bucket, awsConfig: { ...server.awsConfig, credentials: wrong } },
          /credentials/,
        ],
      ];
      for (const [config, message] of cases) {
        const backend = new S3Backend({ ...config, transport });
        for (
          const operate of [
            () => backend.get("a"),
            () => backend.exists("a"),
            () => backend.clear(),
          ]
        ) {
          await assert.rejects(operate, (error) => {
            assert.ok(isCacheError(error) && message.test(error.message), String(error));
            assert.ok(!inspect(error, { depth: 9 }).includes(secret));
            return true;
          });
        }
        assert.ok(!inspect(backend, { depth: 9, showHidden: true }).includes(secret));
        await backend.close();
      }
    });
  }
});
