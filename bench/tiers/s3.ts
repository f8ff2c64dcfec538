import {
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { AwsClient } from "aws4fetch";
import { type S3Server, s3Server } from "../../tests/servers/s3_server.ts";
import { openCacheStore } from "./cache_store.ts";
import type { OpenTierKind, Store } from "./store.ts";
import { NETWORK_SIZES } from "./values.ts";

const SDK = "AWS SDK";
const SIGNED_FETCH = "aws4fetch";

/** The S3 tier with both transports, over a Ceph RADOS Gateway on loopback, beside the clients that are under it. */
export const openS3Kind: OpenTierKind = async () => {
  let server: S3Server;
  try {
    server = await s3Server();
  } catch (error) {
    const reason = (error as Error).message;
    return {
      missing:
        `The Ceph RADOS Gateway does not run here (${reason}): apt-get install ceph-mon ceph-osd radosgw ceph-common`,
    };
  }
  const { bucket, awsConfig } = server;
  const tier = { type: "s3", bucket, awsConfig };
  return {
    sizes: NETWORK_SIZES,
    callsPerSample: 1,
    sources: [
      { name: SDK, open: () => openSdk(server) },
      { name: "Strata s3", floor: SDK, open: () => openCacheStore({ ...tier, prefix: "sdk" }) },
      { name: SIGNED_FETCH, open: () => openSignedFetch(server) },
      {
        name: "Strata s3, transport: fetch",
        floor: SIGNED_FETCH,
        open: () => openCacheStore({ ...tier, prefix: "fetch", transport: "fetch" }),
      },
    ],
    close: () => server.stop(),
  };
};

function openSdk({ bucket: Bucket, awsConfig }: S3Server): Store {
  const client = new S3Client(awsConfig);
  return {
    set: (key, Body) => client.send(new PutObjectCommand({ Bucket, Key: `raw/${key}`, Body })),
    get: async (key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: `raw/${key}` }));
      return await Body?.transformToByteArray();
    },
    getStream: async (key) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: `raw/${key}` }));
      return Body!.transformToWebStream();
    },
    delete: (key) => client.send(new DeleteObjectCommand({ Bucket, Key: `raw/${key}` })),
    close: () => client.destroy(),
  };
}

function openSignedFetch({ bucket, endpoint, awsConfig }: S3Server): Store {
  const { region } = awsConfig;
  const credentials = awsConfig.credentials as { accessKeyId: string; secretAccessKey: string };
  const client = new AwsClient({ ...credentials, region, service: "s3", retries: 0 });
  const url = (key: string): string => `${endpoint}/${bucket}/signed/${encodeURIComponent(key)}`;
  return {
    set: async (key, body) => {
      const response = await client.fetch(url(key), { method: "PUT", body: body as BodyInit });
      await response.arrayBuffer();
    },
    get: async (key) => new Uint8Array(await (await client.fetch(url(key))).arrayBuffer()),
    getStream: async (key) => (await client.fetch(url(key))).body!,
    delete: async (key) => {
      await (await client.fetch(url(key), { method: "DELETE" })).arrayBuffer();
    },
    close: () => {},
  };
}
