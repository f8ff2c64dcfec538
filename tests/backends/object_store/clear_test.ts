import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { GcsBackend } from "../../../backends/gcs.ts";
import { S3Backend } from "../../../backends/s3.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { type GcsServer, startGcs } from "../../servers/gcs_server.ts";
import { type S3Server, s3Server } from "../../servers/s3_server.ts";

let s3: S3Server;
let gcs: GcsServer;
before(async () => {
  [s3, gcs] = await Promise.all([s3Server(), startGcs()]);
  gcs.buckets.create("clear");
});
after(() => Promise.all([s3.stop(), gcs.stop()]));

describe("clear() and purgeExpired() by pages", () => {
  it("clear() removes 10,000 objects in batches and touches no sibling", async () => {
    const { endpoint, tokens: { account: serviceAccount } } = gcs;
    const open = (prefix: string) =>
      new GcsBackend({ bucket: "clear", prefix, endpoint, serviceAccount });
    const [backend, below, beside] = [open("app"), open("app/users"), open("app2")];
    const frame = await entryOf("a:0", 1).encode();
    const metadata = { strata: "1;never;never;1" };
    for (let at = 0; at < 10_000; at++) {
      gcs.buckets.put("clear", `app/~k/a:${at}`, frame, metadata);
    }
    for (const other of [backend, below, beside]) await other.set("b", entryOf("b", 1));
    await below.set("a:1", entryOf("a:1", 1));
    gcs.requests.length = 0;
    assert.equal(await backend.clear("a:*"), 10_000);
    const batches = gcs.requests.filter((request) => request.includes("/batch/"));
    assert.equal(batches.length, 100, "a hundred go in one request");
    assert.equal(gcs.requests.filter((request) => request.startsWith("GET")).length, 10);
    for (const other of [backend, below, beside]) assert.equal(await other.exists("b"), true);
    assert.equal(await below.exists("a:1"), true);
    await Promise.all([backend.close(), below.close(), beside.close()]);
  });

  it("clear() goes through the pages of a real store", async () => {
    const { bucket, awsConfig } = s3;
    const backend = new S3Backend({ bucket, awsConfig, prefix: "pages", transport: "fetch" });
    const sibling = new S3Backend({ bucket, awsConfig, prefix: "pages2", transport: "fetch" });
    const keys = Array.from({ length: 1100 }, (_, at) => `key:${at}`);
    await backend.setMany(keys.map((key) => entryOf(key, 1)));
    await backend.set("other", entryOf("other", 1));
    await sibling.set("key:1", entryOf("key:1", 1));
    assert.equal(await backend.clear("key:*"), keys.length);
    assert.equal(await backend.exists("other"), true);
    assert.equal(await sibling.exists("key:1"), true);
    await Promise.all([backend.close(), sibling.close()]);
  });

  it("purgeExpired() removes what is over, tells how far it is, and get() removes on sight", async () => {
    const { bucket, awsConfig } = s3;
    const clock = new FakeClock();
    const config = { bucket, awsConfig, prefix: "purge", transport: "fetch" };
    const backend = new S3Backend(config, { clock, report: () => {} });
    const object = (name: string) => s3.request("HEAD", `/${bucket}/purge/~k/${name}`);
    for (const key of ["brief", "seen"]) {
      await backend.set(key, entryOf(key, 1, { clock, ttlMs: 10 }));
    }
    await backend.set("lasting", entryOf("lasting", 1, { clock }));
    clock.advance(10);
    assert.equal(await backend.get("seen"), undefined);
    // It comes after the removal, which is in its lane.
    await backend.delete("seen");
    assert.equal((await backend.getStats()).expirations, 1);
    const progress: unknown[] = [];
    const onProgress = (step: unknown): void => void progress.push(step);
    assert.equal(await backend.purgeExpired({ onProgress }), 1);
    assert.deepStrictEqual(progress, [{ seen: 2, removed: 1 }]);
    assert.equal((await object("brief")).status, 404);
    assert.equal((await object("lasting")).status, 200);
    await backend.close();
  });
});
