import {
  AccountSASPermissions,
  AccountSASResourceTypes,
  AccountSASServices,
  type BlockBlobClient,
  ContainerClient,
  generateAccountSASQueryParameters,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import assert from "node:assert/strict";
import { METADATA_NAME } from "../../../backends/_object_store/object_metadata.ts";
import { AzureBackend } from "../../../backends/azure.ts";
import { GcsBackend } from "../../../backends/gcs.ts";
import { S3Backend } from "../../../backends/s3.ts";
import type { BackendContext } from "../../../src/types.ts";
import { type AzureServer, azureServer } from "../../servers/azure_server.ts";
import {
  answers,
  type Fault,
  type FaultProxy,
  startFaultProxy,
} from "../../servers/fault_proxy.ts";
import { type GcsServer, startGcs } from "../../servers/gcs_server.ts";
import { type S3Server, s3Server } from "../../servers/s3_server.ts";

/** A backend over a store of objects. */
export type ObjectBackend = S3Backend | GcsBackend | AzureBackend;

/** One way to a store, through a proxy. */
export interface ProxiedStore {
  /** The proxy. */
  readonly proxy: FaultProxy;
  /** Opens a backend behind it. */
  readonly open: (context: BackendContext, config?: Record<string, unknown>) => ObjectBackend;
  /** What the store answers when it refuses something, in its own words. */
  readonly refuses: (status: number, code: string, headers?: Record<string, string>) => Fault;
  /** Bytes of a part of an upload. */
  readonly partBytes: number;
  /** Config of a backend with credentials that the store does not know. */
  readonly strangers: Record<string, unknown>;
  /** Config of a backend whose bucket or container is not there. */
  readonly nowhere: Record<string, unknown>;
  /** What must never be seen. */
  readonly secrets: readonly string[];
  /** Puts bytes under a key, with or without the line that says what they are. */
  readonly put: (key: string, bytes: Uint8Array, line?: string) => Promise<void>;
  /** Uploads that are open, or blocks that nobody sees. */
  readonly leftovers: (key: string) => Promise<number>;
}

/** The names of all ways. */
export const WAYS = ["S3 by the SDK", "S3 by fetch", "GCS", "Azure"] as const;

/** The same stores, with credentials of another kind. */
export const OTHER_CREDENTIALS = ["GCS by an HMAC key", "Azure by a SAS"] as const;

/** A way, or one with other credentials. */
export type Way = typeof WAYS[number] | typeof OTHER_CREDENTIALS[number];

/** The servers and proxies of a test file. */
export class ProxiedStores {
  readonly #stores = new Map<string, ProxiedStore>();
  readonly #stops: (() => Promise<void>)[] = [];

  /** Starts them. */
  static async start(): Promise<ProxiedStores> {
    const stores = new ProxiedStores();
    const [s3, gcs, azure] = await Promise.all([s3Server(), startGcs(), azureServer()]);
    stores.#stops.push(() => s3.stop(), () => gcs.stop(), () => azure.stop());
    await stores.#addS3(s3);
    await stores.#addGcs(gcs);
    await stores.#addAzure(azure);
    return stores;
  }

  /** One of them. */
  of(way: Way): ProxiedStore {
    const store = this.#stores.get(way);
    if (store === undefined) throw new Error(`Cannot find ${way}`);
    return store;
  }

  /** Ends them. */
  async stop(): Promise<void> {
    for (const stop of this.#stops.reverse()) await stop();
  }

  async #proxy(target: string): Promise<FaultProxy> {
    const proxy = await startFaultProxy(target);
    this.#stops.push(() => proxy.stop());
    return proxy;
  }

  async #addS3(server: S3Server): Promise<void> {
    const { bucket, endpoint } = server;
    const refuses: ProxiedStore["refuses"] = (status, code, headers) =>
      answers(status, `<Error><Code>${code}</Code></Error>`, {
        "content-type": "application/xml",
        ...headers,
      });
    const leftovers = async (): Promise<number> => {
      const response = await server.request("GET", `/${bucket}?uploads`);
      return [...(await response.text()).matchAll(/<Upload>/g)].length;
    };
    const secret = "a-secret-that-nobody-may-see";
    const { accessKeyId, secretAccessKey } = server.awsConfig.credentials;
    const partBytes = 5 * 1024 * 1024;
    const add = async (
      way: Way,
      prefix: string,
      of: (proxy: FaultProxy) => Pick<ProxiedStore, "open" | "strangers">,
    ): Promise<void> => {
      const proxy = await this.#proxy(endpoint);
      this.#stores.set(way, {
        proxy,
        refuses,
        leftovers,
        partBytes,
        nowhere: { bucket: "no-such-bucket" },
        secrets: [secret, secretAccessKey],
        put: async (key, body, line) => {
          const headers: Record<string, string> = line === undefined
            ? {}
            : { [`x-amz-meta-${METADATA_NAME}`]: line };
          const path = `/${bucket}/${prefix}/~k/${key}`;
          const { status } = await server.request("PUT", path, { headers, body });
          assert.equal(status, 200);
        },
        ...of(proxy),
      });
    };
    for (const transport of ["sdk", "fetch"] as const) {
      await add(transport === "sdk" ? "S3 by the SDK" : "S3 by fetch", transport, (proxy) => {
        const awsConfig = { ...server.awsConfig, endpoint: proxy.url };
        const own = { bucket, awsConfig, transport, prefix: transport };
        const credentials = { accessKeyId, secretAccessKey: secret };
        return {
          strangers: { awsConfig: { ...awsConfig, credentials } },
          open: (context, config) => new S3Backend({ ...own, ...config }, context, () => 0),
        };
      });
    }
    // The XML API of GCS is S3's.
    await add("GCS by an HMAC key", "hmac", (proxy) => {
      const hmac = { accessId: accessKeyId, secret: secretAccessKey };
      const own = { bucket, endpoint: proxy.url, prefix: "hmac", hmac, partBytes };
      return {
        strangers: { hmac: { accessId: accessKeyId, secret } },
        open: (context, config) => new GcsBackend({ ...own, ...config }, context, () => 0),
      };
    });
  }

  async #addGcs(server: GcsServer): Promise<void> {
    const bucket = "faults";
    server.buckets.create(bucket);
    const proxy = await this.#proxy(server.endpoint);
    const partBytes = 256 * 1024;
    const { tokens: { account: serviceAccount } } = server;
    this.#stores.set("GCS", {
      proxy,
      partBytes,
      refuses: (status, reason, headers) => {
        const text = JSON.stringify({ error: { code: status, errors: [{ reason }] } });
        return answers(status, text, { "content-type": "application/json", ...headers });
      },
      strangers: {
        serviceAccount: undefined,
        token: () => Promise.resolve("a-token-that-nobody-may-see"),
      },
      nowhere: { bucket: "no-such-bucket" },
      secrets: ["a-token-that-nobody-may-see", "ya29.", serviceAccount.private_key.slice(60, 120)],
      put: (key, bytes, line) => {
        server.buckets.put(bucket, `strata/~k/${key}`, bytes, metadataOf(line));
        return Promise.resolve();
      },
      leftovers: () => Promise.resolve(server.buckets.sessions.size),
      open: (context, config) => {
        const own = { bucket, endpoint: proxy.url, serviceAccount, partBytes };
        return new GcsBackend({ ...own, ...config }, context, () => 0);
      },
    });
  }

  async #addAzure(server: AzureServer): Promise<void> {
    const container = `faults-${crypto.randomUUID()}`;
    const client = new ContainerClient(server.connectionString, container);
    await client.create();
    // The account is in the path.
    const target = new URL(server.url);
    const { name: accountName, key: accountKey } = server.account;
    const wrongKey = btoa("a-key-that-nobody-may-see-and-that-is-none");
    const signature = generateAccountSASQueryParameters({
      expiresOn: new Date(Date.now() + 3_600_000),
      permissions: AccountSASPermissions.parse("rwdlac"),
      resourceTypes: AccountSASResourceTypes.parse("co").toString(),
      services: AccountSASServices.parse("b").toString(),
    }, new StorageSharedKeyCredential(accountName, accountKey));
    const sasToken = signature.toString();
    const wrongSignature = "sig=a-signature-that-nobody-may-see";
    const ways = [
      ["Azure", "strata", { accountName, accountKey }, { accountKey: wrongKey }],
      ["Azure by a SAS", "sas", { sasToken }, {
        sasToken: sasToken.replace(/sig=[^&]*/, wrongSignature),
      }],
    ] as const;
    for (const [way, prefix, credentials, strangers] of ways) {
      const proxy = await this.#proxy(target.origin);
      const partBytes = 65_536;
      const blobOf = (key: string): BlockBlobClient =>
        client.getBlockBlobClient(`${prefix}/~k/${key}`);
      this.#stores.set(way, {
        proxy,
        partBytes,
        strangers,
        refuses: (status, code, headers) =>
          answers(status, `<Error><Code>${code}</Code></Error>`, {
            "content-type": "application/xml",
            "x-ms-error-code": code,
            ...headers,
          }),
        nowhere: { container: "no-such-container" },
        secrets: [wrongKey, accountKey, wrongSignature, signature.signature],
        put: async (key, bytes, line) => {
          const metadata = metadataOf(line);
          await blobOf(key).upload(bytes as Uint8Array<ArrayBuffer>, bytes.length, { metadata });
        },
        leftovers: async (key) => {
          const list = await blobOf(key).getBlockList("all").catch(() => undefined);
          return list?.uncommittedBlocks?.length ?? 0;
        },
        open: (context, config) => {
          const url = proxy.url + target.pathname.replace(/\/$/, "");
          const own = { url, container, prefix, partBytes, ...credentials };
          return new AzureBackend({ ...own, ...config }, context, () => 0);
        },
      });
    }
  }
}

function metadataOf(line: string | undefined): Record<string, string> {
  return line === undefined ? {} : { [METADATA_NAME]: line };
}
