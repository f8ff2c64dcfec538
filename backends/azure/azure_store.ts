import type { ContainerClient, ContainerListBlobFlatSegmentResponse } from "@azure/storage-blob";
import type { OperationOptions } from "../../src/types.ts";
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
  PutOptions,
  ReadOptions,
  StoredObject,
} from "../_object_store/object_store.ts";
import { StoreError } from "../_object_store/store_error.ts";
import { type AzureDownload, collectDownload, readerOfDownload } from "./azure_body.ts";
import type { AzureConnection } from "./azure_connect.ts";
import { azureError, isAnswer, isAzureConflict, isMissingBlob } from "./azure_error.ts";
import { AzureUpload } from "./azure_upload.ts";

/** Azure Blob Storage by the client of `@azure/storage-blob`. */
export class AzureStore implements ObjectStore {
  readonly label = "Azure";
  readonly place = "container";
  readonly maxDeletes = 256;
  readonly maxPage = 1000;
  readonly partBytes: number;
  readonly #connect: () => Promise<AzureConnection>;
  #connecting: Promise<AzureConnection> | undefined;

  /** @param connect loads the package and makes a client. */
  constructor(connect: () => Promise<AzureConnection>, partBytes: number) {
    this.#connect = connect;
    this.partBytes = partBytes;
  }

  async get(name: string, options: ReadOptions): Promise<StoredObject | undefined> {
    const opened = await this.#read(name, options);
    if (opened === undefined) return undefined;
    return { ...opened.info, bytes: await collectDownload(opened.download, options.signal) };
  }

  async open(name: string, options: ReadOptions): Promise<OpenedObject | undefined> {
    const opened = await this.#read(name, options);
    if (opened === undefined) return undefined;
    const { info, download } = opened;
    return {
      ...info,
      body: await readerOfDownload(download),
      bodyLength: download.contentLength,
    };
  }

  head(name: string, { signal }: OperationOptions): Promise<ObjectInfo | undefined> {
    return this.#send(signal, async (container, abort) => {
      try {
        return infoOf(await container.getBlockBlobClient(name).getProperties(abort));
      } catch (error) {
        if (isMissingBlob(error)) return undefined;
        throw error;
      }
    });
  }

  put(name: string, bytes: Uint8Array, options: PutOptions): Promise<string | "conflict"> {
    const { metadata, condition, signal } = options;
    return this.#send(signal, async (container, abort) => {
      try {
        const { etag } = await container.getBlockBlobClient(name).upload(
          bytes as Uint8Array<ArrayBuffer>,
          bytes.length,
          {
            ...abort,
            metadata: { [METADATA_NAME]: metadata },
            conditions: conditionsOf(condition),
          },
        );
        return etag ?? "";
      } catch (error) {
        if (condition !== undefined && isConflicting(error)) return "conflict";
        throw error;
      }
    });
  }

  delete(name: string, { tag, signal }: DeleteOptions): Promise<"deleted" | "conflict"> {
    return this.#send(signal, async (container, abort) => {
      try {
        const conditions = tag === undefined ? {} : { ifMatch: tag };
        await container.getBlockBlobClient(name).delete({ ...abort, conditions });
        return "deleted";
      } catch (error) {
        if (isMissingBlob(error)) return tag === undefined ? "deleted" : "conflict";
        if (tag !== undefined && isAzureConflict(error)) return "conflict";
        throw error;
      }
    });
  }

  deleteMany(
    names: readonly string[],
    { signal }: OperationOptions,
  ): Promise<ReadonlyMap<string, Error>> {
    return this.#send(signal, async (container, abort) => {
      const blobs = names.map((name) => container.getBlobClient(name));
      const { subResponses } = await container.getBlobBatchClient().deleteBlobs(blobs, abort);
      const failed = new Map<string, Error>();
      for (const [at, name] of names.entries()) {
        const answer = subResponses[at];
        if (answer === undefined) failed.set(name, new StoreError("foreign"));
        else if (answer.status >= 300 && !isGone(answer)) {
          failed.set(name, azureError({ statusCode: answer.status, code: answer.errorCode }));
        }
      }
      return failed;
    });
  }

  list(prefix: string, { cursor, limit, signal }: ListOptions): Promise<ObjectPage> {
    return this.#send(signal, async (container, abort) => {
      const pages = container.listBlobsFlat({ ...abort, prefix, includeMetadata: true }).byPage({
        maxPageSize: limit,
        ...(cursor === undefined ? {} : { continuationToken: cursor }),
      });
      const step = await pages.next();
      const page = step.value as ContainerListBlobFlatSegmentResponse | undefined;
      if (page === undefined) return { objects: [], cursor: undefined };
      const time = page.date?.getTime();
      return {
        objects: page.segment.blobItems
          .filter(({ name }) => name.startsWith(prefix))
          .map(({ name, properties, metadata }) => ({
            name,
            info: {
              ...infoOf({ ...properties, metadata }),
              tag: quoted(properties.etag),
              serverTime: time,
            },
          })),
        cursor: page.continuationToken === "" ? undefined : page.continuationToken,
      };
    });
  }

  // deno-lint-ignore require-await -- an upload begins with its first block
  async upload(name: string, options: PutOptions): Promise<ObjectUpload> {
    const { metadata, condition } = options;
    const send = <T>(
      signal: AbortSignal | undefined,
      operate: (container: ContainerClient, abort: { abortSignal?: AbortSignal }) => Promise<T>,
    ): Promise<T> => this.#send(signal, operate);
    return new AzureUpload(name, { [METADATA_NAME]: metadata }, conditionsOf(condition), send);
  }

  #read(
    name: string,
    { signal, range }: ReadOptions,
  ): Promise<{ info: ObjectInfo; download: AzureDownload } | undefined> {
    return this.#send(signal, async (container, abort) => {
      try {
        const download = await container.getBlockBlobClient(name).download(
          range?.offset ?? 0,
          range?.length,
          // Attempts are counted here.
          { ...abort, maxRetryRequests: 0 },
        );
        const total = /\/(\d+)$/.exec(download.contentRange ?? "")?.[1];
        const info = infoOf(download);
        return {
          info: total === undefined ? info : { ...info, size: Number(total) },
          download: download as AzureDownload,
        };
      } catch (error) {
        if (isMissingBlob(error)) return undefined;
        throw error;
      }
    });
  }

  async #send<T>(
    signal: AbortSignal | undefined,
    operate: (container: ContainerClient, abort: { abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    this.#connecting ??= this.#connect().catch((error) => {
      this.#connecting = undefined;
      throw azureError(error);
    });
    const abort = signal === undefined ? {} : { abortSignal: signal };
    const { container, credential } = await this.#connecting;
    for (let attempt = 0;; attempt++) {
      const before = credential?.given;
      try {
        return await operate(container, abort);
      } catch (error) {
        if (signal?.aborted === true) throw signal.reason;
        const failure = azureError(error);
        if (failure.kind !== "credentials" || !isAnswer(error)) throw failure;
        credential?.refuse(before ?? credential.given);
        // A token that is refused may be an old one: a new one is asked for, once.
        if (attempt > 0 || before === undefined) throw failure;
      }
    }
  }
}

function isGone({ status, errorCode }: { status: number; errorCode?: string }): boolean {
  return isMissingBlob({ statusCode: status, code: errorCode });
}

/** One that was to replace a blob that is gone by now has come too late as well. */
function isConflicting(error: unknown): boolean {
  return isAzureConflict(error) || isMissingBlob(error);
}

function conditionsOf(
  condition: ObjectCondition | undefined,
): { ifNoneMatch?: string; ifMatch?: string } {
  if (condition === undefined) return {};
  return condition === "absent" ? { ifNoneMatch: "*" } : { ifMatch: condition.tag };
}

interface AzureInfo {
  readonly etag?: string | undefined;
  readonly contentLength?: number | undefined;
  readonly lastModified?: Date | undefined;
  readonly date?: Date | undefined;
  readonly metadata?: Record<string, string> | undefined;
}

function infoOf({ etag, contentLength, lastModified, date, metadata }: AzureInfo): ObjectInfo {
  return {
    tag: etag ?? "",
    size: contentLength ?? 0,
    modifiedAt: lastModified?.getTime() ?? 0,
    serverTime: date?.getTime(),
    metadata: metadata?.[METADATA_NAME],
  };
}

/** Listings tell an ETag without its quotes. */
function quoted(etag: string): string {
  return etag.startsWith('"') ? etag : `"${etag}"`;
}
