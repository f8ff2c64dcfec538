import type { ContainerClient } from "@azure/storage-blob";
import type { OperationOptions } from "../../src/types.ts";
import type { ObjectUpload } from "../_object_store/object_store.ts";
import { type AzureDownload, collectDownload } from "./azure_body.ts";
import { isAzureConflict, isMissingBlob } from "./azure_error.ts";

/** Sends something by the client. */
type Send = <T>(
  signal: AbortSignal | undefined,
  operate: (container: ContainerClient, abort: { abortSignal?: AbortSignal }) => Promise<T>,
) => Promise<T>;

/** The largest blob without blocks that is written again to be rid of those of an upload. */
const MAX_REWRITTEN_BYTES = 8 * 1024 * 1024;

/** An expired mark: a miss to whoever reads it. */
const NOTHING = "1;0;0;0";

/**
 * A list of blocks. Those of all uploads to one blob lie together, and the
 * service drops them all when one is committed: of two at once, the one that
 * ends later fails.
 */
export class AzureUpload implements ObjectUpload {
  readonly #name: string;
  readonly #metadata: Record<string, string>;
  readonly #conditions: { ifNoneMatch?: string; ifMatch?: string };
  readonly #send: Send;
  readonly #id = crypto.randomUUID();
  readonly #blocks: string[] = [];

  constructor(
    name: string,
    metadata: Record<string, string>,
    conditions: { ifNoneMatch?: string; ifMatch?: string },
    send: Send,
  ) {
    this.#name = name;
    this.#metadata = metadata;
    this.#conditions = conditions;
    this.#send = send;
  }

  part(bytes: Uint8Array, at: number, { signal }: OperationOptions): Promise<Uint8Array> {
    const block = blockName(this.#id, at);
    this.#blocks[at] = block;
    return this.#send(signal, async (container, abort) => {
      const client = container.getBlockBlobClient(this.#name);
      await client.stageBlock(block, bytes as Uint8Array<ArrayBuffer>, bytes.length, abort);
      return bytes;
    });
  }

  complete({ signal }: OperationOptions): Promise<string | "conflict"> {
    return this.#send(signal, async (container, abort) => {
      try {
        const options = { ...abort, metadata: this.#metadata, conditions: this.#conditions };
        const { etag } = await container.getBlockBlobClient(this.#name)
          .commitBlockList([...this.#blocks], options);
        return etag ?? "";
      } catch (error) {
        if (Object.keys(this.#conditions).length > 0 && isAzureConflict(error)) return "conflict";
        throw error;
      }
    });
  }

  /**
   * There is no request that drops blocks; what drops them is to write the
   * blob: as it was, or as nothing, which is then removed. A large blob without
   * blocks is left alone: the service drops others' after a week.
   */
  abort({ signal }: OperationOptions): Promise<void> {
    return this.#send(signal, async (container, abort) => {
      const client = container.getBlockBlobClient(this.#name);
      try {
        const properties = await client.getProperties(abort).catch((error) => {
          if (isMissingBlob(error)) return undefined;
          throw error;
        });
        if (properties === undefined) {
          const { etag = "" } = await client.commitBlockList([], {
            ...abort,
            metadata: emptied(this.#metadata),
            conditions: { ifNoneMatch: "*" },
          });
          await client.delete({ ...abort, conditions: { ifMatch: etag } });
          return;
        }
        const { etag = "", metadata = {}, contentLength = 0 } = properties;
        const options = { ...abort, metadata, conditions: { ifMatch: etag } };
        const { committedBlocks = [] } = await client.getBlockList("committed", abort);
        if (committedBlocks.length > 0) {
          await client.commitBlockList(committedBlocks.map(({ name }) => name), options);
        } else if (contentLength <= MAX_REWRITTEN_BYTES) {
          const download = await client.download(0, undefined, {
            ...abort,
            conditions: { ifMatch: etag },
          });
          const bytes = await collectDownload(download as AzureDownload, signal);
          const block = blockName(this.#id, this.#blocks.length);
          await client.stageBlock(block, bytes as Uint8Array<ArrayBuffer>, bytes.length, abort);
          await client.commitBlockList([block], options);
        }
      } catch (error) {
        // Whoever has written it meanwhile has dropped them.
        if (!isAzureConflict(error) && !isMissingBlob(error)) throw error;
      }
    });
  }
}

/** All names of a blob's blocks have one length. */
function blockName(upload: string, at: number): string {
  return btoa(`${upload}-${String(at).padStart(6, "0")}`);
}

function emptied(metadata: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.keys(metadata).map((name) => [name, NOTHING]));
}
