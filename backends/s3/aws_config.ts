import type { S3CredentialSource } from "../_s3_api/s3_credentials.ts";

/** Config of a client of `@aws-sdk/client-s3`, as far as it is known here. */
export interface AwsConfig {
  /** Where the bucket is, such as `"us-west-2"`. */
  readonly region?: string;
  /** The URL of a store that is not Amazon's. */
  readonly endpoint?: string;
  /** Whether the bucket stands in the path of URLs instead of their host. @default false */
  readonly forcePathStyle?: boolean;
  /** Keys, or a function that gives them. @default those of the client's own chain */
  readonly credentials?: S3CredentialSource;
  /** All others go to the client as they are. */
  readonly [field: string]: unknown;
}

/** What is used of a client of `@aws-sdk/client-s3`. */
export interface S3ClientLike {
  /** Sends a command. */
  send(command: never, options?: never): Promise<unknown>;
}
