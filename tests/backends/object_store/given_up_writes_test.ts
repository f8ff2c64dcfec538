import { S3Client } from "@aws-sdk/client-s3";
import { AnonymousCredential, ContainerClient } from "@azure/storage-blob";
import assert from "node:assert/strict";
import { Agent, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { AzureBackend } from "../../../backends/azure.ts";
import { S3Backend } from "../../../backends/s3.ts";
import type { BackendContext } from "../../../src/types.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { eventually } from "../../servers/eventually.ts";
import type { ObjectBackend } from "./proxied_stores.ts";

const region = "us-east-1";
const credentials = { accessKeyId: "id", secretAccessKey: "secret" };
const keptNever = (): Agent => new Agent({ keepAlive: false });

/** Clients that Strata makes, and ready ones as the docs of their option say. */
const FORMS: Record<string, (url: string, context: BackendContext) => ObjectBackend> = {
  "a client of S3 that is made here": (endpoint, context) => {
    const awsConfig = { endpoint, region, credentials, forcePathStyle: true };
    return new S3Backend({ bucket: "bucket", awsConfig, maxAttempts: 1 }, context);
  },
  "a ready client of S3 without kept connections": (endpoint, context) => {
    const client = new S3Client({
      endpoint,
      region,
      credentials,
      forcePathStyle: true,
      maxAttempts: 1,
      requestHandler: { httpAgent: keptNever() },
    });
    return new S3Backend({ bucket: "bucket", client, maxAttempts: 1 }, context);
  },
  "a client of Azure that is made here": (url, context) => {
    const account = { url: `${url}/account`, accountName: "account", accountKey: btoa("key") };
    return new AzureBackend({ ...account, container: "container", maxAttempts: 1 }, context);
  },
  "a ready client of Azure without kept connections": (url, context) => {
    const options = { retryOptions: { maxTries: 1 }, agent: keptNever() };
    const path = `${url}/account/container`;
    const client = new ContainerClient(path, new AnonymousCredential(), options);
    return new AzureBackend({ client, maxAttempts: 1 }, context);
  },
};

describe("a write that is given up", () => {
  for (const [name, open] of Object.entries(FORMS)) {
    it(`comes to the store once, by ${name}`, async () => {
      let given = 0;
      const server = createServer((request, response) => {
        request.resume();
        request.on("end", () => {
          const isGivenUp = request.method === "PUT" && request.url!.includes("given-up");
          if (isGivenUp) given++;
          else response.writeHead(request.method === "PUT" ? 201 : 404, { etag: '"tag"' }).end();
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const clock = new FakeClock();
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const backend = open(url, { clock, report: () => {} });
      try {
        for (const key of ["first", "second"]) await backend.set(key, entryOf(key, 1));
        const writing = assert.rejects(backend.set("given-up", entryOf("given-up", 1)));
        await eventually("the write", () => given === 1);
        clock.advance(600_000);
        await writing;
        // What was sent again would be there before these.
        for (const key of ["third", "fourth", "fifth"]) await backend.set(key, entryOf(key, 1));
        assert.equal(given, 1);
      } finally {
        await backend.close();
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    });
  }
});
