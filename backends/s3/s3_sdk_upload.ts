import type { OperationOptions } from "../../src/types.ts";
import type { ObjectUpload } from "../_object_store/object_store.ts";
import { type S3SdkStore, thrown } from "./s3_sdk_store.ts";

/** What names an upload. */
export interface S3UploadNames {
  readonly Bucket: string;
  readonly Key: string;
  readonly UploadId: string;
}

/** A multipart upload by the client. */
export class S3SdkUpload implements ObjectUpload {
  readonly #store: S3SdkStore;
  readonly #names: S3UploadNames;
  readonly #tags: (string | undefined)[] = [];

  constructor(store: S3SdkStore, names: S3UploadNames) {
    this.#store = store;
    this.#names = names;
  }

  async part(bytes: Uint8Array, at: number, { signal }: OperationOptions): Promise<Uint8Array> {
    const input = { ...this.#names, PartNumber: at + 1, Body: bytes };
    const { ETag } = await this.#store.send(
      signal,
      ({ sdk, client }, options) => client.send(new sdk.UploadPartCommand(input), options),
    ).catch((error) => {
      throw thrown(error);
    });
    this.#tags[at] = ETag;
    return bytes;
  }

  async complete({ signal }: OperationOptions): Promise<string> {
    const Parts = this.#tags.map((ETag, at) => ({ ETag, PartNumber: at + 1 }));
    const input = { ...this.#names, MultipartUpload: { Parts } };
    const { ETag } = await this.#store.send(
      signal,
      ({ sdk, client }, options) =>
        client.send(new sdk.CompleteMultipartUploadCommand(input), options),
    ).catch((error) => {
      throw thrown(error);
    });
    return ETag ?? "";
  }

  async abort({ signal }: OperationOptions): Promise<void> {
    await this.#store.send(
      signal,
      ({ sdk, client }, options) =>
        client.send(new sdk.AbortMultipartUploadCommand(this.#names), options),
    ).catch((error) => {
      // It is not there any more.
      const failure = thrown(error);
      if ((failure as { detail?: string }).detail !== "NoSuchUpload") throw failure;
    });
  }
}
