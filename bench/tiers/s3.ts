import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
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
    setStream: async (key, value) => {
      const Key = `raw/${key}`;
      const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
      const upload = { Bucket, Key, UploadId };
      const Parts: { ETag: string | undefined; PartNumber: number }[] = [];
      for await (const Body of partsOf(value)) {
        const PartNumber = Parts.length + 1;
        const { ETag } = await client.send(new UploadPartCommand({ ...upload, PartNumber, Body }));
        Parts.push({ ETag, PartNumber });
      }
      const whole = { ...upload, MultipartUpload: { Parts } };
      return await client.send(new CompleteMultipartUploadCommand(whole));
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
    setStream: async (key, value) => {
      const begun = await (await client.fetch(`${url(key)}?uploads`, { method: "POST" })).text();
      const id = encodeURIComponent(/<UploadId>(.*?)<\/UploadId>/.exec(begun)![1]!);
      let parts = "";
      let number = 0;
      for await (const body of partsOf(value)) {
        const part = `${url(key)}?partNumber=${++number}&uploadId=${id}`;
        const response = await client.fetch(part, { method: "PUT", body: body as BodyInit });
        await response.arrayBuffer();
        const tag = response.headers.get("etag");
        parts += `<Part><PartNumber>${number}</PartNumber><ETag>${tag}</ETag></Part>`;
      }
      const response = await client.fetch(`${url(key)}?uploadId=${id}`, {
        method: "POST",
        body: `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`,
      });
      await response.arrayBuffer();
    },
    getStream: async (key) => (await client.fetch(url(key))).body!,
    delete: async (key) => {
      await (await client.fetch(url(key), { method: "DELETE" })).arrayBuffer();
    },
    close: () => {},
  };
}

/** The least that S3 takes as a part. */
const PART_BYTES = 5 << 20;

/** Gathers what comes into parts. */
async function* partsOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  let part = new Uint8Array(PART_BYTES);
  let length = 0;
  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + PART_BYTES - length);
      part.set(piece, length);
      length += piece.length;
      at += piece.length;
      if (length < PART_BYTES) continue;
      yield part;
      part = new Uint8Array(PART_BYTES);
      length = 0;
    }
  }
  if (length > 0) yield part.subarray(0, length);
}
