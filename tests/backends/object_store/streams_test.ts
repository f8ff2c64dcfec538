import { ContainerClient } from "@azure/storage-blob";
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { AzureBackend } from "../../../backends/azure.ts";
import { GcsBackend } from "../../../backends/gcs.ts";
import { S3Backend } from "../../../backends/s3.ts";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import { bytesFrom, bytesOfSize, framed, readFrame } from "../../backend_suite/stream_parts.ts";
import { type AzureServer, azureServer } from "../../servers/azure_server.ts";
import { type GcsServer, startGcs } from "../../servers/gcs_server.ts";
import { type S3Server, s3Server } from "../../servers/s3_server.ts";

const container = `streams-${crypto.randomUUID()}`;
let s3: S3Server;
let gcs: GcsServer;
let azure: AzureServer;

before(async () => {
  [s3, gcs, azure] = await Promise.all([s3Server(), startGcs(), azureServer()]);
  gcs.buckets.create("streams");
  await new ContainerClient(azure.connectionString, container).create();
});
after(() => Promise.all([s3.stop(), gcs.stop(), azure.stop()]));

interface Kind {
  readonly partBytes: number;
  readonly open: () => S3Backend | GcsBackend | AzureBackend;
  /** Uploads that are open, or blocks that nobody sees. */
  readonly leftovers: (key: string) => Promise<number>;
}

const MIB = 1024 * 1024;

async function openUploads(): Promise<number> {
  const response = await s3.request("GET", `/${s3.bucket}?uploads`);
  return [...(await response.text()).matchAll(/<Upload>/g)].length;
}

const kinds: Record<string, Kind> = {
  "S3 by the SDK": {
    partBytes: 5 * MIB,
    open: () => new S3Backend({ bucket: s3.bucket, prefix: "sdk", awsConfig: s3.awsConfig }),
    leftovers: openUploads,
  },
  "S3 by fetch": {
    partBytes: 5 * MIB,
    open: () => {
      const { bucket, awsConfig } = s3;
      return new S3Backend({ bucket, prefix: "fetch", transport: "fetch", awsConfig });
    },
    leftovers: openUploads,
  },
  GCS: {
    partBytes: 256 * 1024,
    open: () => {
      const { endpoint, tokens: { account: serviceAccount } } = gcs;
      const partBytes = 256 * 1024;
      return new GcsBackend({ bucket: "streams", endpoint, serviceAccount, partBytes });
    },
    leftovers: () => Promise.resolve(gcs.buckets.sessions.size),
  },
  Azure: {
    partBytes: 65_536,
    open: () => {
      const { connectionString } = azure;
      return new AzureBackend({ connectionString, container, partBytes: 65_536 });
    },
    leftovers: async (key) => {
      const client = new ContainerClient(azure.connectionString, container)
        .getBlockBlobClient(`strata/~k/${key}`);
      const list = await client.getBlockList("all").catch(() => undefined);
      return list?.uncommittedBlocks?.length ?? 0;
    },
  },
};

for (const [name, { partBytes, open, leftovers }] of Object.entries(kinds)) {
  describe(`streams in parts to ${name}`, () => {
    it("setStream() brings back what has one part, several, and a whole number of them", async () => {
      const backend = open();
      try {
        for (const length of [partBytes - 200, partBytes + 1, 2 * partBytes, 2 * partBytes + 77]) {
          for (const isLengthKnown of [true, false]) {
            const { entry, frame } = framed("large", bytesOfSize(length), {});
            const frameLength = isLengthKnown ? frame.length : undefined;
            const source = { ...entry, frame: bytesFrom([frame.slice()]), frameLength };
            assert.equal(await backend.setStream("large", source), "stored");
            const read = await readFrame(await backend.getStream("large"));
            assert.ok(read !== undefined && equal(read, frame), `${length}`);
          }
        }
        assert.equal(await leftovers("large"), 0);
      } finally {
        await backend.close();
      }
    });

    it("setStream() that fails after any part leaves no upload open, and what was there", async () => {
      const backend = open();
      try {
        for (const key of ["held", "new"]) {
          const old = framed(key, bytesOfSize(1000), {});
          if (key === "held") {
            await backend.setStream(key, { ...old.entry, frame: bytesFrom([old.frame.slice()]) });
          }
          for (const parts of [1, 2]) {
            const { entry, frame } = framed(key, bytesOfSize(3 * partBytes), {});
            const reason = new Error("no more");
            const cut = frame.slice(0, parts * partBytes + 1);
            const source = { ...entry, frame: bytesFrom([cut], reason) };
            await assert.rejects(backend.setStream(key, source), (error) => error === reason);
            assert.equal(await leftovers(key), 0, `${key} after ${parts}`);
            const read = await readFrame(await backend.getStream(key));
            assert.deepStrictEqual(read, key === "held" ? old.frame : undefined);
          }
        }
      } finally {
        await backend.close();
      }
    });
  });
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

describe("streamed entries whose names do not tell their keys", () => {
  const LONG = `${"long ".repeat(220)}key`;

  for (const name of ["S3 by fetch", "GCS"]) {
    it(`are listed and cleared on ${name}`, async () => {
      const backend = kinds[name]!.open();
      await using cache = await CacheManager.open({ backends: [backend] });
      for (const key of [LONG, `${LONG} 2`]) {
        // More than a slot: less is stored as a plain value.
        await cache.setStream(key, bytesFrom([bytesOfSize(300 * 1024)]));
      }
      const listed: string[] = [];
      for await (const key of backend.keys("long *")) listed.push(key);
      assert.deepEqual(listed.sort(), [LONG, `${LONG} 2`]);
      assert.equal(await cache.clear("long *"), 2);
      assert.equal(await backend.exists(LONG), false);
    });
  }

  it("are found where a proxy has stripped what stands beside them", async () => {
    const backend = kinds["GCS"]!.open();
    await using cache = await CacheManager.open({ backends: [backend] });
    await cache.setStream("stripped", bytesFrom([bytesOfSize(300 * 1024)]));
    const objects = gcs.buckets.objects.get("streams")!;
    for (const [name, object] of objects) objects.set(name, { ...object, metadata: {} });
    assert.equal(await backend.exists("stripped"), true);
    assert.equal(await backend.clear("stripped"), 1);
  });
});
