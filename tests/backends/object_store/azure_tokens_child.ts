/*
 * Run as a process of its own, which trusts the authority of a test's
 * certificate: that is told to a runtime when it starts.
 *
 * Arguments: the URL of an account of Azurite over TLS that takes tokens.
 *
 * Says as JSON what each step came to.
 */
import { ContainerClient } from "@azure/storage-blob";
import { Buffer } from "node:buffer";
import process from "node:process";
import { AzureBackend } from "../../../backends/azure.ts";
import type { AzureTokenCredential } from "../../../backends/azure/azure_config.ts";
import { isCacheError } from "../../../src/errors.ts";
import { bytesFrom, bytesOfSize, framed, readFrame } from "../../backend_suite/stream_parts.ts";
import { entryOf } from "../../fakes/entries.ts";

const [url] = process.argv.slice(2) as [string];
const container = "tokens";

/** A token as Azurite takes it, or not: it looks at issuer and times, and at no signature. */
function tokenBy(issuer: string): { token: string; expiresOnTimestamp: number } {
  const now = Math.floor(Date.now() / 1000);
  const aud = "https://storage.azure.com";
  const claims = { aud, iss: `https://${issuer}/`, iat: now - 60, nbf: now - 60, exp: now + 3600 };
  const parts = [{ alg: "none", typ: "JWT" }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString("base64url")
  );
  return { token: `${parts.join(".")}.c2ln`, expiresOnTimestamp: (now + 3600) * 1000 };
}

const good = (): ReturnType<typeof tokenBy> => tokenBy("sts.windows.net/tenant");
const bad = (): ReturnType<typeof tokenBy> => tokenBy("nobody.example/tenant");

/** Gives one token after another, the last of them again and again; counts. */
class Tokens implements AzureTokenCredential {
  asked = 0;
  readonly #tokens: ReturnType<typeof tokenBy>[];
  constructor(...tokens: ReturnType<typeof tokenBy>[]) {
    this.#tokens = tokens;
  }
  getToken(): Promise<ReturnType<typeof tokenBy>> {
    return Promise.resolve(this.#tokens[Math.min(this.asked++, this.#tokens.length - 1)]!);
  }
}

const outcome = (operation: Promise<unknown>): Promise<unknown> =>
  operation.catch((error) => isCacheError(error) ? [error.code, error.message] : String(error));

async function within<T>(
  credential: Tokens,
  body: (backend: AzureBackend) => Promise<T>,
): Promise<T> {
  const backend = new AzureBackend({ url, container, credential, maxAttempts: 1 });
  try {
    return await body(backend);
  } finally {
    await backend.close();
  }
}

await new ContainerClient(`${url}/${container}`, new Tokens(good())).create();

const tokens = new Tokens(good());
const used = await within(tokens, async (backend) => {
  const { entry, frame } = framed("stream", bytesOfSize(300_000), {});
  const set = await backend.set("key", entryOf("key", "value"));
  const value = await (await backend.get("key"))?.value();
  const stored = await backend.setStream("stream", { ...entry, frame: bytesFrom([frame.slice()]) });
  const read = await readFrame(await backend.getStream("stream"));
  const isSame = read !== undefined && Buffer.compare(read, frame) === 0;
  const cleared = await outcome(backend.clear());
  await backend.set("key", entryOf("key", "again"));
  return { set, value, stored, isSame, cleared, asked: tokens.asked };
});

const refusedTokens = new Tokens(bad());
const refused = await within(refusedTokens, async (backend) => ({
  get: await outcome(backend.get("key")),
  set: await outcome(backend.set("key", entryOf("key", 1))),
  asked: refusedTokens.asked,
}));

const lateTokens = new Tokens(bad(), good());
const late = await within(lateTokens, async (backend) => ({
  first: await outcome(backend.get("key")),
  second: await outcome(backend.exists("key")),
  asked: lateTokens.asked,
}));

const first = good();
const revokedTokens = new Tokens(first, good());
const revoked = await within(revokedTokens, async (backend) => {
  const before = await backend.exists("key");
  // The same token, which the store does not take any more.
  first.token = bad().token;
  const exists = await outcome(backend.exists("key"));
  const set = await outcome(backend.set("key", entryOf("key", 2)));
  return { before, exists, set, asked: revokedTokens.asked };
});

process.stdout.write(`${JSON.stringify({ used, refused, late, revoked })}\n`);
