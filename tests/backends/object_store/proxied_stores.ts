import { ContainerClient } from "@azure/storage-blob";
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
  /** Puts bytes under a key, without metadata. */
  readonly put: (key: string, bytes: Uint8Array) => Promise<void>;
  /** Uploads that are open, or blocks that nobody sees. */
  readonly leftovers: (key: string) => Promise<number>;
}

/** The names of all ways. */
export const WAYS = ["S3 by the SDK", "S3 by fetch", "GCS", "Azure"] as const;

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
  of(way: typeof WAYS[number]): ProxiedStore {
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
    for (const transport of ["sdk", "fetch"] as const) {
      const proxy = await this.#proxy(endpoint);
      const awsConfig = { ...server.awsConfig, endpoint: proxy.url };
      const partBytes = 5 * 1024 * 1024;
      const secretAccessKey = "a-secret-that-nobody-may-see";
      const wrong = { accessKeyId: "testkey", secretAccessKey };
      this.#stores.set(transport === "sdk" ? "S3 by the SDK" : "S3 by fetch", {
        proxy,
        refuses,
        leftovers,
        partBytes,
        strangers: { awsConfig: { ...awsConfig, credentials: wrong } },
        nowhere: { bucket: "no-such-bucket" },
        secrets: [secretAccessKey, server.awsConfig.credentials.secretAccessKey],
        put: async (key, body) => {
          await server.request("PUT", `/${bucket}/${transport}/~k/${key}`, { body });
        },
        open: (context, config) => {
          const own = { bucket, awsConfig, transport, prefix: transport };
          return new S3Backend({ ...own, ...config }, context, () => 0);
        },
      });
    }
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
      put: (key, bytes) => {
        server.buckets.put(bucket, `strata/~k/${key}`, bytes, {});
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
    const proxy = await this.#proxy(target.origin);
    const { name: accountName, key: accountKey } = server.account;
    const partBytes = 65_536;
    const wrongKey = btoa("a-key-that-nobody-may-see-and-that-is-none");
    this.#stores.set("Azure", {
      proxy,
      partBytes,
      refuses: (status, code, headers) =>
        answers(status, `<Error><Code>${code}</Code></Error>`, {
          "content-type": "application/xml",
          "x-ms-error-code": code,
          ...headers,
        }),
      strangers: { accountKey: wrongKey },
      nowhere: { container: "no-such-container" },
      secrets: [wrongKey, accountKey],
      put: async (key, bytes) => {
        await client.getBlockBlobClient(`strata/~k/${key}`).upload(
          bytes as Uint8Array<ArrayBuffer>,
          bytes.length,
        );
      },
      leftovers: async (key) => {
        const list = await client.getBlockBlobClient(`strata/~k/${key}`).getBlockList("all")
          .catch(() => undefined);
        return list?.uncommittedBlocks?.length ?? 0;
      },
      open: (context, config) => {
        const url = proxy.url + target.pathname.replace(/\/$/, "");
        const own = { url, accountName, accountKey, container, partBytes };
        return new AzureBackend({ ...own, ...config }, context, () => 0);
      },
    });
  }
}
