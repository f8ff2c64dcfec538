import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  ContainerClient,
  generateAccountSASQueryParameters,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { AzureBackend } from "../../../backends/azure.ts";
import { GcsBackend } from "../../../backends/gcs.ts";
import { S3Backend } from "../../../backends/s3.ts";
import { systemClock } from "../../../src/clock.ts";
import { isCacheError } from "../../../src/errors.ts";
import type { BackendContext } from "../../../src/types.ts";
import { valueOf } from "../../backend_suite/harness.ts";
import { bytesFrom, bytesOfSize, framed, readFrame } from "../../backend_suite/stream_parts.ts";
import { entryOf } from "../../fakes/entries.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { type AzureServer, azureServer } from "../../servers/azure_server.ts";
import { eventually } from "../../servers/eventually.ts";
import { GcsTokens } from "../../servers/gcs/gcs_tokens.ts";
import { type GcsServer, startGcs } from "../../servers/gcs_server.ts";
import { type S3Server, s3Server } from "../../servers/s3_server.ts";
import { scratchFolder } from "../../servers/scratch.ts";
import type { ObjectBackend } from "./proxied_stores.ts";

let gcs: GcsServer;
let s3: S3Server;
let azure: AzureServer;
before(async () => {
  [gcs, s3, azure] = await Promise.all([startGcs(), s3Server(), azureServer()]);
});
after(() => Promise.all([gcs.stop(), s3.stop(), azure.stop()]));

/** Writes, reads, lists and removes, all together or, where a server cannot, one by one. */
async function works(backend: ObjectBackend, isOneByOne = false): Promise<void> {
  assert.equal(await backend.set("a", entryOf("a", "value")), true);
  assert.equal(await valueOf(backend, "a"), "value");
  const [outcome] = await backend.setNewest?.([entryOf("b", 2, { version: 2 })]) ?? ["stored"];
  assert.equal(outcome, "stored");
  const { entry, frame } = framed("c", bytesOfSize(100_000), {});
  await backend.setStream("c", { ...entry, frame: bytesFrom([frame.slice()]) });
  assert.deepStrictEqual(await readFrame(await backend.getStream("c")), frame);
  const keys: string[] = [];
  for await (const key of backend.keys()) keys.push(key);
  assert.ok(keys.includes("a") && keys.includes("c"), `${keys}`);
  if (isOneByOne) { for (const key of keys) await backend.delete(key); }
  else assert.equal(await backend.clear(), keys.length);
  assert.equal(await backend.exists("a"), false);
}

const denies = (detail: RegExp) => (error: unknown): boolean => {
  assert.ok(isCacheError(error, "unavailable"), inspect(error));
  assert.match(error.message, /there are no credentials, or the store does not accept them/);
  assert.match(error.message, detail);
  assert.ok(!inspect(error, { depth: 9 }).includes("secret"));
  return true;
};

/** Sets some variables of the environment, and takes the others named away. @returns what sets all as they were. */
function setVariables(
  names: readonly string[],
  environment: Readonly<Record<string, string>>,
): () => void {
  const before = names.map((name) => [name, process.env[name]] as const);
  for (const name of names) delete process.env[name];
  Object.assign(process.env, environment);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}

describe("credentials of GCS", () => {
  const open = (config: Record<string, unknown>): GcsBackend => {
    gcs.buckets.create("credentials");
    return new GcsBackend({ bucket: "credentials", endpoint: gcs.endpoint, ...config });
  };

  it("may be a service account on a machine whose clock is wrong", async () => {
    const { tokens } = gcs;
    for (const hours of [-2, 2]) {
      tokens.ahead = hours * 3_600_000;
      tokens.asked = 0;
      const backend = open({ serviceAccount: tokens.account });
      await works(backend);
      assert.equal(tokens.asked, 2, "once by each clock");
      const { private_key } = (await GcsTokens.create("http://other")).account;
      const stranger = open({ serviceAccount: { ...tokens.account, private_key } });
      await assert.rejects(stranger.get("key"), denies(/token\.400/));
      assert.equal(tokens.asked, 4);
      await Promise.all([backend.close(), stranger.close()]);
    }
    tokens.ahead = 0;
  });

  it("may be an HMAC key, for which the API is S3's", async () => {
    const { accessKeyId: accessId, secretAccessKey: secret } = s3.awsConfig.credentials;
    const own = { bucket: s3.bucket, endpoint: s3.endpoint, prefix: "hmac" };
    const backend = new GcsBackend({ ...own, hmac: { accessId, secret } });
    await works(backend);
    const { entry, frame } = framed("parts", bytesOfSize(6_000_000), {});
    await backend.setStream("parts", { ...entry, frame: bytesFrom([frame.slice()]) });
    const read = await readFrame(await backend.getStream("parts"));
    assert.equal(read?.length, frame.length);
    await backend.close();
    const wrong = new GcsBackend({ ...own, hmac: { accessId, secret: "wrong-secret" } });
    await assert.rejects(wrong.get("a"), denies(/SignatureDoesNotMatch/));
    await wrong.close();
  });

  it("may be a service account, whose token is asked for once", async () => {
    const backend = open({ serviceAccount: gcs.tokens.account });
    const before = gcs.tokens.asked;
    await Promise.all(Array.from({ length: 5 }, (_, at) => backend.get(`${at}`)));
    await works(backend);
    assert.equal(gcs.tokens.asked, before + 1);
    gcs.tokens.revoke();
    await works(backend);
    assert.equal(gcs.tokens.asked, before + 2, "one that is refused is replaced");
    await backend.close();
  });

  it("may be a function that gives tokens, with their end or without", async () => {
    let asked = 0;
    const given = open({ token: () => Promise.resolve(`${++asked && gcs.tokens.give()}`) });
    await works(given);
    assert.equal(asked, 1);
    await given.close();
    const expiring = open({
      token: () => {
        asked++;
        return Promise.resolve({ token: gcs.tokens.give(), expiresAt: Date.now() + 1000 });
      },
    });
    await expiring.get("a");
    await expiring.get("a");
    assert.equal(asked, 3, "one that is about to end is not used again");
    await expiring.close();
  });

  it("are named when they give no token", async () => {
    const { account } = gcs.tokens;
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ token: () => Promise.reject(new Error("secret")) }, /token\.function/],
      [{ token: () => Promise.resolve(undefined) }, /token\.none/],
      [{ token: () => Promise.resolve("two words, secret") }, /token\.none/],
      [{ serviceAccount: { ...account, private_key: "secret" } }, /private_key/],
      [{ serviceAccount: { ...account, client_email: "other@secret" } }, /token\.400/],
      [{ token: () => Promise.resolve("secret-that-is-refused") }, /authError/],
    ];
    for (const [config, detail] of cases) {
      const backend = open(config);
      await assert.rejects(backend.get("a"), denies(detail));
      await backend.close();
    }
  });

  describe("of the machine's", () => {
    const NAMES = ["GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST", "CLOUDSDK_CONFIG"];
    const { path, remove } = scratchFolder("gcs-credentials");
    after(remove);
    const withEnvironment = async (
      environment: Record<string, string>,
      body: (backend: GcsBackend) => Promise<void>,
    ): Promise<void> => {
      const restore = setVariables(NAMES, { CLOUDSDK_CONFIG: join(path, "none"), ...environment });
      const backend = open({});
      try {
        await body(backend);
      } finally {
        await backend.close();
        restore();
      }
    };
    const file = (name: string, content: unknown): string => {
      const text = typeof content === "string" ? content : JSON.stringify(content);
      const target = join(path, name);
      writeFileSync(target, text);
      return target;
    };

    it("may be a file with the key of a service account", () =>
      withEnvironment({
        GOOGLE_APPLICATION_CREDENTIALS: file("account.json", {
          type: "service_account",
          ...gcs.tokens.account,
        }),
      }, (backend) => works(backend)));

    it("may be a file of a user's", () =>
      withEnvironment({
        GOOGLE_APPLICATION_CREDENTIALS: file("user.json", {
          type: "authorized_user",
          client_id: "tool",
          client_secret: "tool-secret",
          refresh_token: "refresh-1",
          token_uri: gcs.tokens.account.token_uri,
        }),
      }, (backend) => works(backend)));

    it("may be the metadata server's", () =>
      withEnvironment(
        { GCE_METADATA_HOST: new URL(gcs.endpoint).host },
        (backend) => works(backend),
      ));

    it("are named when they are none", async () => {
      const cases: [Record<string, string>, RegExp][] = [
        [{ GOOGLE_APPLICATION_CREDENTIALS: join(path, "nowhere") }, /file\.unreadable/],
        [{ GOOGLE_APPLICATION_CREDENTIALS: file("text", "secret") }, /file\.foreign/],
        [
          { GOOGLE_APPLICATION_CREDENTIALS: file("other.json", { type: "external_account" }) },
          /file\.unsupported/,
        ],
        [{ GCE_METADATA_HOST: "127.0.0.1:1" }, /none/],
      ];
      for (const [environment, detail] of cases) {
        await withEnvironment(environment, async (backend) => {
          await assert.rejects(backend.get("a"), denies(detail));
        });
      }
    });
  });
});

describe("credentials of Azure", () => {
  const container = `credentials-${crypto.randomUUID()}`;
  before(async () => {
    await new ContainerClient(azure.connectionString, container).create();
  });

  it("may be a connection string, a shared key, a signature or a client", async () => {
    const { url, account: { name: accountName, key: accountKey } } = azure;
    const key = new StorageSharedKeyCredential(accountName, accountKey);
    const sasToken = generateAccountSASQueryParameters({
      expiresOn: new Date(Date.now() + 3_600_000),
      permissions: AccountSASPermissions.parse("rwdlac"),
      resourceTypes: AccountSASResourceTypes.parse("co").toString(),
      services: AccountSASServices.parse("b").toString(),
    }, key).toString();
    const forms: Record<string, Record<string, unknown>> = {
      connectionString: { container, connectionString: azure.connectionString },
      accountKey: { container, url, accountName, accountKey },
      sasToken: { container, url, sasToken },
      "sasToken with a question mark": { container, url, sasToken: `?${sasToken}` },
      client: { client: new ContainerClient(`${url}/${container}`, key) },
    };
    for (const [form, config] of Object.entries(forms)) {
      const backend = new AzureBackend(config, { clock: systemClock, report: () => {} });
      // Azurite answers 500 to a batch of a container that is signed for by a SAS.
      await works(backend, form.startsWith("sasToken")).catch((error) => {
        throw new Error(form, { cause: error });
      });
      assert.ok(!inspect(backend, { depth: 9, showHidden: true }).includes(accountKey));
      await backend.close();
    }
  });

  it("are named when they are refused", async () => {
    const { url, account: { name: accountName } } = azure;
    const expired = "sv=2024-11-04&se=2020-01-01T00%3A00%3A00Z&sr=c&sp=rwdl&sig=secret";
    const forms: Record<string, unknown>[] = [
      { sasToken: expired },
      { accountName, accountKey: btoa("secret") },
    ];
    for (const form of forms) {
      const backend = new AzureBackend({ container, url, ...form });
      await assert.rejects(backend.get("a"), (error) => {
        assert.ok(isCacheError(error) && /credentials/.test(error.message), inspect(error));
        assert.ok(!inspect(error, { depth: 9 }).includes("secret"));
        return true;
      });
      await backend.close();
    }
  });

  it("of tokens are asked for them, and named when they have none", async () => {
    const unavailable = Object.assign(new Error("secret"), { name: "CredentialUnavailableError" });
    let asked: unknown;
    const backend = new AzureBackend({
      container,
      url: "https://127.0.0.1:1/account",
      maxAttempts: 1,
      credential: {
        getToken: (scopes: string | string[]) => {
          asked = scopes;
          return Promise.reject(unavailable);
        },
      },
    });
    await assert.rejects(backend.get("a"), denies(/CredentialUnavailableError/));
    assert.match(String(asked), /storage\.azure\.com/);
    await backend.close();
    const credential = { getToken: () => Promise.resolve(null) };
    assert.throws(
      () => new AzureBackend({ container, url: "http://127.0.0.1:1/account", credential }),
      /'url' must begin with "https:" for 'credential'/,
    );
  });
});

describe("what gives credentials and does not answer", () => {
  let asked = 0;
  const hangsOnce = <T>(answer: () => Promise<T>) => (): Promise<T> =>
    asked++ === 0 ? new Promise(() => {}) : answer();
  const s3Backend = (transport: "sdk" | "fetch", context: BackendContext): S3Backend => {
    const credentials = hangsOnce(() => Promise.resolve(s3.awsConfig.credentials));
    const awsConfig = { ...s3.awsConfig, credentials };
    return new S3Backend({ bucket: s3.bucket, prefix: "hangs", transport, awsConfig }, context);
  };
  const forms: Record<string, (context: BackendContext) => ObjectBackend> = {
    "a function of GCS": (context) => {
      gcs.buckets.create("credentials");
      const token = hangsOnce(() => Promise.resolve(gcs.tokens.give()));
      const own = { bucket: "credentials", endpoint: gcs.endpoint, prefix: "hangs" };
      return new GcsBackend({ ...own, token }, context);
    },
    "a function of S3": (context) => s3Backend("sdk", context),
    "a function of S3 over fetch": (context) => s3Backend("fetch", context),
  };
  /** Reads a key, and lets the time pass that the first call is waited for. */
  const readFrom = async (backend: ObjectBackend, clock: FakeClock): Promise<unknown> => {
    asked = 0;
    const read = backend.get("none");
    read.catch(() => {});
    await eventually("a first call", () => asked === 1);
    await eventually("a second call", () => {
      clock.advance(100);
      return asked === 2;
    });
    return await read;
  };

  for (const [name, open] of Object.entries(forms)) {
    it(`is given up and asked again: ${name}`, async () => {
      const clock = new FakeClock();
      const backend = open({ clock, report: () => {} });
      assert.equal(await readFrom(backend, clock), undefined);
      await works(backend);
      await backend.close();
    });
  }

  it("is given up and asked again: the chain of the S3 client", async () => {
    const { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey } = s3.awsConfig.credentials;
    const metadata = createServer((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const Expiration = new Date(Date.now() + 3_600_000).toISOString();
      const answer = JSON.stringify({ AccessKeyId, SecretAccessKey, Token: "", Expiration });
      if (asked++ === 0) response.write(answer.slice(0, 10));
      else response.end(answer);
    });
    await new Promise<void>((resolve) => metadata.listen(0, "127.0.0.1", resolve));
    const { port } = metadata.address() as AddressInfo;
    const { path, remove } = scratchFolder("s3-credentials");
    const restore = setVariables([
      "AWS_ACCESS_KEY_ID",
      "AWS_SECRET_ACCESS_KEY",
      "AWS_PROFILE",
      "AWS_WEB_IDENTITY_TOKEN_FILE",
      "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
      "AWS_CONTAINER_CREDENTIALS_FULL_URI",
      "AWS_CONFIG_FILE",
      "AWS_SHARED_CREDENTIALS_FILE",
    ], {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/credentials`,
      AWS_CONFIG_FILE: join(path, "none"),
      AWS_SHARED_CREDENTIALS_FILE: join(path, "none"),
    });
    try {
      const clock = new FakeClock();
      const { credentials: _, ...awsConfig } = s3.awsConfig;
      const config = { bucket: s3.bucket, prefix: "chain", awsConfig };
      const backend = new S3Backend(config, { clock, report: () => {} });
      assert.equal(await readFrom(backend, clock), undefined);
      await works(backend);
      assert.equal(asked, 2, "what it gave is kept");
      await backend.close();
    } finally {
      restore();
      remove();
      metadata.closeAllConnections();
      await new Promise((resolve) => metadata.close(resolve));
    }
  });

  it("is given up and asked again: a credential of Azure", async () => {
    const clock = new FakeClock();
    const unavailable = Object.assign(new Error("secret"), { name: "CredentialUnavailableError" });
    const backend = new AzureBackend({
      container: "container",
      url: "https://127.0.0.1:1/account",
      credential: { getToken: hangsOnce<never>(() => Promise.reject(unavailable)) },
    }, { clock, report: () => {} });
    await assert.rejects(readFrom(backend, clock), denies(/CredentialUnavailableError/));
    await backend.close();
  });
});
