import type { OperationOptions } from "../../src/types.ts";

/** What a store tells of an object without its bytes. */
export interface ObjectInfo {
  /** Names this state of the object: an ETag or a generation. Opaque, and compared by the store only. */
  readonly tag: string;
  /** Bytes of the object. */
  readonly size: number;
  /** When it was written, epoch milliseconds by the store's clock. */
  readonly modifiedAt: number;
  /** When the store answered, epoch milliseconds by its own clock, where it says so. */
  readonly serverTime?: number | undefined;
  /** What was given as {@linkcode PutOptions.metadata}; `undefined` where there is none. */
  readonly metadata: string | undefined;
}

/** An object with its bytes. */
export interface StoredObject extends ObjectInfo {
  /** The whole object, or the part that was asked for, in a buffer of its own. */
  readonly bytes: Uint8Array;
}

/** Bytes as they come; the reader of a stream is one. */
export interface BodyReader {
  /** Gives the next of them, which may be views of a buffer that has others as well. */
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  /** Ends the request, also while a read is under way. */
  cancel(reason?: unknown): Promise<void>;
}

/** An object whose bytes come as they are read. */
export interface OpenedObject extends ObjectInfo {
  /** Gives the object, or the part that was asked for. */
  readonly body: BodyReader;
  /** Bytes that it is to give, where the answer says so. */
  readonly bodyLength: number | undefined;
}

/** A part of an object. */
export interface ObjectRange {
  /** First byte. */
  readonly offset: number;
  /** How many; to the end where it is not given. An object that is shorter gives what it has. */
  readonly length?: number | undefined;
}

/** Options of reads. */
export interface ReadOptions extends OperationOptions {
  /** The part to read. @default all */
  readonly range?: ObjectRange | undefined;
}

/** Under which condition something is written or removed; a store without such conditions ignores it. */
export type ObjectCondition = "absent" | { readonly tag: string };

/** Options of writes. */
export interface PutOptions extends OperationOptions {
  /** A line of ASCII that is kept beside the object and told by `head`. */
  readonly metadata: string;
  /** Nothing is written unless it holds. @default none */
  readonly condition?: ObjectCondition | undefined;
}

/** Options of deletions. */
export interface DeleteOptions extends OperationOptions {
  /** Nothing is removed unless the object has it. @default none */
  readonly tag?: string | undefined;
}

/** Options of listings. */
export interface ListOptions extends OperationOptions {
  /** Where the last page ended. */
  readonly cursor?: string | undefined;
  /** The most objects of a page; the store may give fewer. */
  readonly limit: number;
}

/** An object in a listing. */
export interface ListedObject {
  /** Its name. */
  readonly name: string;
  /** What is known of it, where the store lists metadata too. */
  readonly info?: ObjectInfo | undefined;
}

/** A page of a listing. */
export interface ObjectPage {
  /** In the order of the store. */
  readonly objects: readonly ListedObject[];
  /** Where the next page begins, `undefined` on the last one. */
  readonly cursor: string | undefined;
}

/** An object in the making, of which nothing is visible before {@linkcode ObjectUpload.complete}. */
export interface ObjectUpload {
  /**
   * Sends the next part.
   *
   * @param bytes of {@linkcode ObjectStore.partBytes}, the last one of at most that.
   * @returns the bytes of a part that has arrived, of which nothing more is needed.
   */
  part(bytes: Uint8Array, at: number, options: OperationOptions): Promise<Uint8Array | undefined>;
  /** Makes the object visible, whole. @returns its tag, or `"conflict"` when the condition does not hold. */
  complete(options: OperationOptions): Promise<string | "conflict">;
  /** Removes what was sent. */
  abort(options: OperationOptions): Promise<void>;
}

/** Options of listings of uploads. */
export interface OpenUploadsOptions extends OperationOptions {
  /** Where the last page ended. */
  readonly cursor?: OpenUploadsCursor | undefined;
}

/** Where a page of uploads ended. */
export interface OpenUploadsCursor {
  readonly name: string;
  readonly id: string;
}

/** An upload that has not ended. */
export interface OpenUpload {
  /** The object that it was to be. */
  readonly name: string;
  /** When it was begun, epoch milliseconds by the store's clock. */
  readonly begunAt: number;
  /** Takes it up, to call it off. */
  readonly upload: ObjectUpload;
}

/** A page of uploads. */
export interface OpenUploadsPage {
  readonly uploads: readonly OpenUpload[];
  /** Where the next page begins, `undefined` on the last one. */
  readonly cursor: OpenUploadsCursor | undefined;
  /** When the store answered, epoch milliseconds by its own clock, where it says so. */
  readonly serverTime: number | undefined;
}

/**
 * What differs between the stores of objects: how a request is made, and what
 * an answer means. Each method sends one request and tries once: retries,
 * limits, names, expiry and messages are the backend's. It rejects with a
 * {@linkcode StoreError}, or with the signal's reason.
 */
export interface ObjectStore {
  /** Names it in messages, such as `S3`. */
  readonly label: string;
  /** What it calls the place of objects. */
  readonly place: "bucket" | "container";
  /** The most objects of one {@linkcode ObjectStore.deleteMany}. */
  readonly maxDeletes: number;
  /** The most objects of a page. */
  readonly maxPage: number;
  /** Bytes of a part of an upload. */
  readonly partBytes: number;
  /** Reads an object. @returns `undefined` when it is not there. */
  get(name: string, options: ReadOptions): Promise<StoredObject | undefined>;
  /** Reads an object as a stream. @returns `undefined` when it is not there. */
  open(name: string, options: ReadOptions): Promise<OpenedObject | undefined>;
  /** Tells of an object. @returns `undefined` when it is not there. */
  head(name: string, options: OperationOptions): Promise<ObjectInfo | undefined>;
  /** Writes an object, visible as a whole. @returns its tag, or `"conflict"` when the condition does not hold. */
  put(name: string, bytes: Uint8Array, options: PutOptions): Promise<string | "conflict">;
  /** Removes an object; one that is not there is no error. */
  delete(name: string, options: DeleteOptions): Promise<"deleted" | "conflict">;
  /** Removes objects. @returns those for which it failed, with the reason. */
  deleteMany(
    names: readonly string[],
    options: OperationOptions,
  ): Promise<ReadonlyMap<string, Error>>;
  /** Lists the objects whose names begin with a text. */
  list(prefix: string, options: ListOptions): Promise<ObjectPage>;
  /** Begins an object that is sent in parts. */
  upload(name: string, options: PutOptions): Promise<ObjectUpload>;
  /** Lists the uploads that have not ended, of objects whose names begin with a text; where the store can. */
  openUploads?(prefix: string, options: OpenUploadsOptions): Promise<OpenUploadsPage>;
  /** Frees connections. */
  close?(): void;
}
