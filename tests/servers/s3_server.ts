import process from "node:process";
import type { S3ClientConfig } from "@aws-sdk/client-s3";
import { AwsClient } from "aws4fetch";
import { S3_CREDENTIALS, S3_VARIABLE, startCeph } from "./ceph_server.ts";
import "./slow_hooks.ts";

/** A store that speaks S3, for one test file. */
export interface S3Server {
  /** Where it is. */
  readonly endpoint: string;
  /** A bucket of this file's own. */
  readonly bucket: string;
  /** Config of a client of it. */
  readonly awsConfig: S3ClientConfig & {
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  /** Sends a request beside all that is tested, to a path such as `/bucket/name`. */
  request(method: string, path: string, options?: S3RequestOptions): Promise<Response>;
  /** Ends it, unless it is the test run's. */
  stop(): Promise<void>;
}

/** What a request may have. */
export interface S3RequestOptions {
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** The test run's server, or one that is started for a file that runs alone; with an empty bucket. */
export async function s3Server(): Promise<S3Server> {
  const shared = process.env[S3_VARIABLE];
  const { endpoint, stop } = shared === undefined
    ? await startCeph()
    : { endpoint: shared, stop: async () => {} };
  const region = "us-east-1";
  const credentials = { ...S3_CREDENTIALS };
  const client = new AwsClient({ ...credentials, region, service: "s3", retries: 0 });
  const bucket = `test-${crypto.randomUUID()}`;
  const request = (method: string, path: string, options: S3RequestOptions = {}) =>
    client.fetch(endpoint + path, { method, ...options as RequestInit });
  const made = await request("PUT", `/${bucket}`);
  await made.body?.cancel();
  if (!made.ok) throw new Error(`Cannot make a bucket: status ${made.status}`);
  const awsConfig = { region, endpoint, forcePathStyle: true, credentials };
  return { endpoint, bucket, awsConfig, request, stop };
}
