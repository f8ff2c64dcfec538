import type { GetObjectCommandOutput, S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import type { Clock, OperationOptions } from "../../src/types.ts";
import { dateOf } from "../_object_store/http.ts";
import { keepAliveAgent } from "../_object_store/keep_alive_agent.ts";
import { METADATA_NAME } from "../_object_store/object_metadata.ts";
import type {
  DeleteOptions,
  ListOptions,
  ObjectCondition,
  ObjectInfo,
  ObjectPage,
  ObjectStore,
  ObjectUpload,
  OpenedObject,
  OpenUploadsOptions,
  OpenUploadsPage,
  PutOptions,
  ReadOptions,
  StoredObject,
} from "../_object_store/object_store.ts";
import { rangeHeader } from "../_object_store/range_header.ts";
import { StoreError } from "../_object_store/store_error.ts";
import { isConflict, isMissing, s3Error } from "../_s3_api/s3_error.ts";
import type { AwsConfig, S3ClientLike } from "./aws_config.ts";
import { keepCredentialsOfChain } from "./s3_credential_chain.ts";
import { answerOfSdkError, localError } from "./s3_sdk_error.ts";
import { collectBody, readerOfBody } from "./s3_sdk_body.ts";
import { S3SdkUpload } from "./s3_sdk_upload.ts";

/** What is loaded of the client. */
export type S3Sdk = typeof import("@aws-sdk/client-s3");

/** Options of {@linkcode S3SdkStore}. */
export interface S3SdkStoreOptions {
  /** The bucket. */
  readonly bucket: string;
  /** A ready client, or the config of one that is made when it is first needed. */
  readonly client: S3ClientLike | AwsConfig;
  /** Whether it is a ready one. */
  readonly isReady: boolean;
  /** Bytes of a part of an upload. */
  readonly partBytes: number;
  /** Limits the time in which a client that is made gets its credentials. */
  readonly clock: Clock;
}

/** What a command of the client can be sent with. */
export interface SdkCall {
  readonly sdk: S3Sdk;
  readonly client: S3Client;
}

/** S3 by the client of `@aws-sdk/client-s3`, which is loaded when it is first needed. */
export class S3SdkStore implements ObjectStore {
  readonly label = "S3";
  readonly place = "bucket";
  readonly maxDeletes = 1000;
  readonly maxPage = 1000;
  readonly partBytes: number;
  readonly #options: S3SdkStoreOptions;
  #opening: Promise<SdkCall> | undefined;
  #opened: SdkCall | undefined;
  #isBucketKnown = false;

  constructor(options: S3SdkStoreOptions) {
    this.partBytes = options.partBytes;
    this.#options = options;
  }

  async get(name: string, options: ReadOptions): Promise<StoredObject | undefined> {
    const output = await this.#read(name, options);
    return output && { ...infoOf(output), bytes: await collectBody(output, options.signal) };
  }

  async open(name: string, options: ReadOptions): Promise<OpenedObject | undefined> {
    const output = await this.#read(name, options);
    if (output === undefined) return undefined;
    const bodyLength = output.ContentLength;
    return { ...infoOf(output), body: readerOfBody(output), bodyLength };
  }

  async head(name: string, { signal }: OperationOptions): Promise<ObjectInfo | undefined> {
    const { bucket: Bucket } = this.#options;
    try {
      return infoOf(
        await this.send(
          signal,
          ({ sdk, client }, options) =>
            client.send(new sdk.HeadObjectCommand({ Bucket, Key: name }), options),
        ),
      );
    } catch (error) {
      if (!(error instanceof Refused) || !isMissing(error.answer)) throw thrown(error);
      // Its answer does not tell a missing object from a missing bucket.
      if (!this.#isBucketKnown) {
        await this.list(name, { signal, limit: 1 }).catch((failure) => {
          if (!(failure instanceof StoreError) || failure.kind !== "forbidden") throw failure;
        });
      }
      return undefined;
    }
  }

  async put(name: string, bytes: Uint8Array, options: PutOptions): Promise<string | "conflict"> {
    const { metadata, condition, signal } = options;
    const { bucket: Bucket } = this.#options;
    try {
      const output = await this.send(signal, ({ sdk, client }, sending) =>
        client.send(
          new sdk.PutObjectCommand({
            Bucket,
            Key: name,
            Body: bytes,
            Metadata: { [METADATA_NAME]: metadata },
            ...conditionInput(condition),
          }),
          sending,
        ));
      return output.ETag ?? "";
    } catch (error) {
      if (condition !== undefined && error instanceof Refused && isConflicting(error)) {
        return "conflict";
      }
      throw thrown(error);
    }
  }

  async delete(name: string, { tag, signal }: DeleteOptions): Promise<"deleted" | "conflict"> {
    const { bucket: Bucket } = this.#options;
    const condition = tag === undefined ? {} : { IfMatch: tag };
    try {
      await this.send(
        signal,
        ({ sdk, client }, options) =>
          client.send(new sdk.DeleteObjectCommand({ Bucket, Key: name, ...condition }), options),
      );
      return "deleted";
    } catch (error) {
      if (error instanceof Refused) {
        if (isMissing(error.answer)) return tag === undefined ? "deleted" : "conflict";
        if (tag !== undefined && isConflicting(error)) return "conflict";
      }
      throw thrown(error);
    }
  }

  async deleteMany(
    names: readonly string[],
    { signal }: OperationOptions,
  ): Promise<ReadonlyMap<string, Error>> {
    const { bucket: Bucket } = this.#options;
    const Objects = names.map((Key) => ({ Key }));
    const { Errors = [] } = await this.send(signal, ({ sdk, client }, options) =>
      client.send(
        new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
        options,
      )).catch((error) => {
        throw thrown(error);
      });
    return new Map(
      Errors.filter(({ Key }) => names.includes(Key ?? "")).map((
        { Key, Code },
      ): [string, Error] => [
        Key as string,
        s3Error({ status: undefined, code: Code ?? "Unknown" }),
      ]),
    );
  }

  async list(prefix: string, { cursor, limit, signal }: ListOptions): Promise<ObjectPage> {
    const { bucket: Bucket } = this.#options;
    const output = await this.send(signal, ({ sdk, client }, options) =>
      client.send(
        new sdk.ListObjectsV2Command({
          Bucket,
          Prefix: prefix,
          MaxKeys: limit,
          ...(cursor === undefined ? {} : { ContinuationToken: cursor }),
        }),
        options,
      )).catch((error) => {
        throw thrown(error);
      });
    // The client makes an empty listing of a page of somebody else's.
    if (output.Name === undefined && output.IsTruncated === undefined) {
      throw new StoreError("foreign");
    }
    this.#isBucketKnown = true;
    return {
      objects: (output.Contents ?? []).flatMap(({ Key }) =>
        Key?.startsWith(prefix) === true ? [{ name: Key }] : []
      ),
      cursor: output.IsTruncated === true ? output.NextContinuationToken : undefined,
    };
  }

  async upload(name: string, { metadata, signal }: PutOptions): Promise<ObjectUpload> {
    const { bucket } = this.#options;
    const { UploadId } = await this.send(signal, ({ sdk, client }, options) =>
      client.send(
        new sdk.CreateMultipartUploadCommand({
          Bucket: bucket,
          Key: name,
          Metadata: { [METADATA_NAME]: metadata },
        }),
        options,
      )).catch((error) => {
        throw thrown(error);
      });
    if (UploadId === undefined) throw new StoreError("foreign");
    return new S3SdkUpload(this, { Bucket: bucket, Key: name, UploadId });
  }

  async openUploads(
    prefix: string,
    { cursor, signal }: OpenUploadsOptions,
  ): Promise<OpenUploadsPage> {
    const { bucket: Bucket } = this.#options;
    const after = cursor && { KeyMarker: cursor.name, UploadIdMarker: cursor.id };
    const output = await this.send(signal, ({ sdk, client }, options) =>
      client.send(
        new sdk.ListMultipartUploadsCommand({ Bucket, Prefix: prefix, ...after }),
        options,
      )).catch((error) => {
        throw thrown(error);
      });
    const { Uploads = [], IsTruncated, NextKeyMarker: name, NextUploadIdMarker: id } = output;
    return {
      uploads: Uploads.flatMap(({ Key, UploadId, Initiated }) =>
        Key?.startsWith(prefix) === true && UploadId !== undefined && Initiated !== undefined
          ? [{
            name: Key,
            begunAt: Initiated.getTime(),
            upload: new S3SdkUpload(this, { Bucket, Key, UploadId }),
          }]
          : []
      ),
      cursor: IsTruncated === true && name !== undefined && id !== undefined
        ? { name, id }
        : undefined,
      serverTime: undefined,
    };
  }

  /** Sends a command. @throws {Refused} with the store's answer, or {@linkcode StoreError}. */
  async send<T>(
    signal: AbortSignal | undefined,
    command: (call: SdkCall, options: { abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    const call = this.#opened ?? await this.#open();
    try {
      return await command(call, signal === undefined ? {} : { abortSignal: signal });
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      throw localError(error) ?? new Refused(answerOfSdkError(error));
    }
  }

  close(): void {
    if (!this.#options.isReady) this.#opened?.client.destroy();
  }

  async #read(
    name: string,
    { signal, range }: ReadOptions,
  ): Promise<GetObjectCommandOutput & { serverDate?: string } | undefined> {
    const { bucket: Bucket } = this.#options;
    try {
      const output = await this.send(signal, ({ sdk, client }, options) => {
        const Range = range === undefined ? {} : { Range: rangeHeader(range) };
        const command = new sdk.GetObjectCommand({ Bucket, Key: name, ...Range });
        // For each command that takes its time; but a client that was given is not ours to change.
        if (this.#options.isReady) keepDate(command.middlewareStack as never);
        return client.send(command, options);
      });
      this.#isBucketKnown = true;
      return output as GetObjectCommandOutput & { serverDate?: string };
    } catch (error) {
      if (!(error instanceof Refused) || !isMissing(error.answer)) throw thrown(error);
      this.#isBucketKnown = true;
      return undefined;
    }
  }

  #open(): Promise<SdkCall> {
    this.#opening ??= (async () => {
      const sdk = await import("@aws-sdk/client-s3");
      const { client, isReady, clock } = this.#options;
      if (isReady) return this.#opened = { sdk, client: client as S3Client };
      const [httpAgent, httpsAgent] = await Promise.all([
        keepAliveAgent("http:"),
        keepAliveAgent("https:"),
      ]);
      const made = new sdk.S3Client({
        // Frames have a sum of their own, and many stores know none of the client's.
        requestChecksumCalculation: "WHEN_REQUIRED",
        responseChecksumValidation: "WHEN_REQUIRED",
        requestHandler: { httpAgent, httpsAgent },
        ...client as S3ClientConfig,
        // Attempts are counted here.
        maxAttempts: 1,
      });
      keepDate(made.middlewareStack);
      if ((client as AwsConfig).credentials === undefined) keepCredentialsOfChain(made, clock);
      return this.#opened = { sdk, client: made };
    })().catch((error) => {
      this.#opening = undefined;
      throw localError(error) ?? error;
    });
    return this.#opening;
  }
}

/** Has answers say the store's time, which the client keeps to itself, and locks need. */
function keepDate(stack: S3Client["middlewareStack"]): void {
  stack.add((next) => async (args) => {
    const result = await next(args);
    const { headers } = result.response as { headers?: Record<string, string> };
    (result.output as { serverDate?: string | undefined }).serverDate = headers?.["date"];
    return result;
  }, { step: "deserialize", priority: "high", name: "strataServerDate" });
}

/** A store's refusal, of which the caller may know better what it means. */
export class Refused extends Error {
  readonly answer: ReturnType<typeof answerOfSdkError>;

  constructor(answer: ReturnType<typeof answerOfSdkError>) {
    super("refused");
    this.answer = answer;
  }
}

/** What a failure means to those who know nothing better. */
export function thrown(error: unknown): unknown {
  return error instanceof Refused ? s3Error(error.answer) : error;
}

function isConflicting({ answer }: Refused): boolean {
  return isConflict(answer) || answer.code === "NoSuchKey";
}

function conditionInput(
  condition: ObjectCondition | undefined,
): { IfNoneMatch?: string; IfMatch?: string } {
  if (condition === undefined) return {};
  return condition === "absent" ? { IfNoneMatch: "*" } : { IfMatch: condition.tag };
}

interface SdkInfo {
  readonly ETag?: string | undefined;
  readonly ContentLength?: number | undefined;
  readonly ContentRange?: string | undefined;
  readonly LastModified?: Date | undefined;
  readonly Metadata?: Record<string, string> | undefined;
  readonly serverDate?: string | undefined;
}

function infoOf(output: SdkInfo): ObjectInfo {
  const total = /\/(\d+)$/.exec(output.ContentRange ?? "")?.[1];
  return {
    tag: output.ETag ?? "",
    size: total === undefined ? output.ContentLength ?? 0 : Number(total),
    modifiedAt: output.LastModified?.getTime() ?? 0,
    serverTime: dateOf(output.serverDate),
    metadata: output.Metadata?.[METADATA_NAME],
  };
}
