import { after, before, describe, it } from "node:test";
import assert from "node:assert/strict";
import { S3Backend } from "../../backends/s3.ts";
import { isCacheError } from "../../src/errors.ts";
import { type S3Server, s3Server } from "../servers/s3_server.ts";
import { lockSuite } from "./lock_suite.ts";

let server: S3Server;
const backends: S3Backend[] = [];

before(async () => {
  server = await s3Server();
});
after(async () => {
  await Promise.all(backends.map((backend) => backend.close()));
  await server.stop();
});

function open(config: Record<string, unknown> = {}): S3Backend {
  const { bucket, awsConfig } = server;
  const backend = new S3Backend({ bucket, awsConfig, transport: "fetch", ...config });
  backends.push(backend);
  return backend;
}

lockSuite("ObjectLocks over S3", () => open().createLockProvider());

describe("ObjectLocks", () => {
  it("acquire() rejects by name where the store has no conditions", async () => {
    const locks = open({ conditionalWrites: false }).createLockProvider();
    await assert.rejects(
      locks.acquire("name", { leaseMs: 1000 }),
      (error) => isCacheError(error, "unavailable") && /ignores conditions/.test(error.message),
    );
  });
});
