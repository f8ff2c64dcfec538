import assert from "node:assert/strict";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { AzureBackend } from "../../../backends/azure.ts";
import { isCacheError } from "../../../src/errors.ts";
import { runCommand } from "../../run/spawn.ts";
import { type AzuriteServer, startAzurite } from "../../servers/azurite_server.ts";
import { type Certificates, makeCertificates } from "../../servers/certificates.ts";
import { scratchFolder } from "../../servers/scratch.ts";
import "../../servers/slow_hooks.ts";
import { runtimeArguments } from "../filesystem/log/helpers.ts";

const CHILD = fileURLToPath(new URL("./azure_tokens_child.ts", import.meta.url));

let server: AzuriteServer;
let certificates: Certificates;
const { path, remove } = scratchFolder("azure-tokens");
before(async () => {
  certificates = makeCertificates(path);
  server = await startAzurite(certificates);
});
after(async () => {
  await server.stop();
  remove();
});

describe("Azure over TLS with tokens", () => {
  it("takes them, names one that it refuses, and is given a new one in place of it", async () => {
    const { caFile } = certificates;
    const { stdout, output, code } = await runCommand(
      [process.execPath, ...runtimeArguments(), CHILD, server.url],
      { env: { NODE_EXTRA_CA_CERTS: caFile, DENO_CERT: caFile } },
    );
    assert.equal(code, 0, output);
    const { used, refused, late, revoked } = JSON.parse(stdout.trim());
    assert.deepEqual(used, {
      set: true,
      value: "value",
      stored: "stored",
      isSame: true,
      cleared: 2,
      asked: 1,
    });
    const isRefusal = ([code, message]: [string, string]): void => {
      assert.equal(code, "unavailable");
      assert.match(message, /there are no credentials, or the store does not accept them/);
    };
    isRefusal(refused.get);
    isRefusal(refused.set);
    assert.ok(refused.asked <= 4, `${refused.asked}`);
    isRefusal(late.first);
    assert.deepEqual(late.second, true);
    assert.equal(late.asked, 2);
    assert.deepEqual(revoked, { before: true, exists: true, set: true, asked: 2 });
  });

  it("is named as unavailable where nobody knows the authority", async () => {
    const credential = {
      getToken: () => Promise.resolve({ token: "token", expiresOnTimestamp: Date.now() + 1e6 }),
    };
    const { url } = server;
    const backend = new AzureBackend({ url, container: "tokens", credential, maxAttempts: 1 });
    await assert.rejects(backend.get("key"), (error) => isCacheError(error, "unavailable"));
    await backend.close();
  });
});
