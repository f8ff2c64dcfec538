import { CacheError } from "../../src/errors.ts";
import type {
  ByteRange,
  Clock,
  FrameReadOptions,
  OperationOptions,
  StoredFrame,
  StreamedEntry,
  VersionedOutcome,
} from "../../src/types.ts";
import { FramePieces } from "../_frame_pieces.ts";
import type { FrameReader } from "../_frames.ts";
import { readerOfResponse } from "./body_reader.ts";
import type { ConditionsOfStore } from "./conditions_of_store.ts";
import { frameStream } from "./frame_stream.ts";
import { truncation } from "./http.ts";
import { encodeStanding } from "./object_metadata.ts";
import type { ObjectNames } from "./object_names.ts";
import type { ObjectRange, ObjectStore, OpenedObject } from "./object_store.ts";
import { staysOver } from "./object_versioned_writes.ts";
import type { Operations } from "./operations.ts";
import type { Records } from "./records.ts";
import type { Requests } from "./requests.ts";
import { StoreError } from "./store_error.ts";
import type { Sweeper } from "./sweeper.ts";
import { UploadInParts } from "./upload_in_parts.ts";

/** What streams need. */
export interface StreamsParts {
  /** Names the backend in errors. */
  readonly backend: string;
  /** The one source of time. */
  readonly clock: Clock;
  /** The store. */
  readonly store: ObjectStore;
  /** Names of objects. */
  readonly names: ObjectNames;
  /** Sends requests. */
  readonly requests: Requests;
  /** Looks at objects. */
  readonly records: Records;
  /** Tells of objects that are none of ours. */
  readonly frames: FrameReader;
  /** Runs operations. */
  readonly operations: Operations;
  /** Says whether versions are compared. */
  readonly conditions: ConditionsOfStore;
  /** Removes what is over. */
  readonly sweeper: Sweeper;
}

/** S3 takes no more parts of one object, and the others take as many. */
const MAX_PARTS = 10_000;

/** Times that a reader looks again because the object is another by then. */
const MAX_LOOKS = 8;

/**
 * Moves frames as streams. What fits into one part is written in one request;
 * else the parts are sent as they come and made visible together. One part is
 * on its way while the next is gathered.
 */
export class Streams {
  readonly #parts: StreamsParts;
  readonly #closing = new AbortController();

  constructor(parts: StreamsParts) {
    this.#parts = parts;
  }

  /** Stores an entry whose frame comes as a stream. */
  async set(
    key: string,
    entry: StreamedEntry,
    options: OperationOptions | undefined,
  ): Promise<VersionedOutcome> {
    const signal = this.#signal(options);
    const pieces = new FramePieces(entry, signal);
    return await pieces.storedBy(() =>
      this.#parts.operations.do(
        "write to",
        key,
        options,
        () => this.#store(key, entry, pieces, signal),
      )
    );
  }

  /** Reads the frame of an entry, or a range of it. */
  get(key: string, options: FrameReadOptions | undefined): Promise<StoredFrame | undefined> {
    const signal = this.#signal(options);
    return this.#parts.operations.do(
      "read from",
      key,
      options,
      () => this.#open(key, options, signal),
    );
  }

  /** Ends the streams under way. */
  close(): void {
    const { backend } = this.#parts;
    const message = `Cannot use backend ${backend}: it is closed`;
    this.#closing.abort(new CacheError("closed", message, { backend }));
  }

  async #store(
    key: string,
    entry: StreamedEntry,
    pieces: FramePieces,
    signal: AbortSignal,
  ): Promise<VersionedOutcome> {
    const { store, names, requests, records, operations, clock } = this.#parts;
    const name = await names.entry(key);
    if (entry.staleUntil <= clock.now()) {
      await operations.lanes.run([key], () => records.remove(name, signal));
      return "stored";
    }
    const size = Math.max(store.partBytes, Math.ceil((entry.frameLength ?? 0) / MAX_PARTS));
    const metadata = encodeStanding(entry);
    const spare: Uint8Array[] = [];
    let upload: UploadInParts | undefined;
    let isVisible = false;
    try {
      for await (const { bytes, isLast } of pieces.parts(size, spare)) {
        if (isLast && upload === undefined) {
          return await this.#commit(key, name, entry, signal, () =>
            requests.write(
              signal,
              (own) => store.put(name, bytes, { signal: own, metadata }),
            ));
        }
        upload ??= await UploadInParts.begin({ store, requests, name, metadata, signal, spare });
        await upload.add(bytes);
      }
      const whole = upload as UploadInParts;
      await whole.settled();
      const outcome = await this.#commit(key, name, entry, signal, () => whole.complete());
      isVisible = outcome === "stored";
      return outcome;
    } finally {
      if (!isVisible) await upload?.abort();
    }
  }

  /** Makes an entry visible, after the writes of its key that came before, unless a newer one is there. */
  #commit(
    key: string,
    name: string,
    { version }: StreamedEntry,
    signal: AbortSignal,
    write: () => Promise<unknown>,
  ): Promise<VersionedOutcome> {
    const { operations, records, conditions, clock } = this.#parts;
    return operations.lanes.run([key], async () => {
      signal.throwIfAborted();
      if (conditions.known !== undefined) {
        const held = await records.look(name, signal);
        if (staysOver(held?.standing, version, clock.now())) return "outdated";
      }
      await write();
      return "stored";
    });
  }

  async #open(
    key: string,
    options: FrameReadOptions | undefined,
    signal: AbortSignal,
  ): Promise<StoredFrame | undefined> {
    const { names, records, operations, clock, sweeper, frames } = this.#parts;
    const name = await names.entry(key);
    for (let look = 0; look < MAX_LOOKS; look++) {
      const opened = await this.#request(name, options?.range, signal);
      if (opened === undefined) return undefined;
      if (opened === "replaced") continue;
      const held = await orDrop(opened, records.found(name, opened, signal));
      if (held?.info.tag !== opened.tag) {
        drop(opened);
        continue;
      }
      if (held.standing === undefined || held.standing.expiresAt <= clock.now()) {
        drop(opened);
        if (held.standing === undefined) {
          const message = "Cannot decode frame: it does not begin like one";
          frames.corrupt(key, new CacheError("corrupt", message));
        }
        sweeper.sweep(key, name, held.info);
        return undefined;
      }
      const failureOf = (error: unknown): unknown => {
        const failure = error instanceof StoreError ? error : truncation(error);
        return operations.failure("read from", key, failure, undefined);
      };
      return { frameLength: opened.size, frame: frameStream(opened, signal, failureOf) };
    }
    throw new StoreError("server", { detail: "changing" });
  }

  /** Asks for an object, or a part of it, which may lie beyond its end. */
  async #request(
    name: string,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<OpenedObject | "replaced" | undefined> {
    const { requests, store } = this.#parts;
    // No request can ask for no bytes.
    if (range?.length === 0) return await this.#withoutBytes(name, signal);
    try {
      const opened = await requests.read(
        signal,
        (own) => store.open(name, { signal: own, range: range && askable(range) }),
      );
      return opened?.size === 0 ? await this.#measured(name, opened, signal) : opened;
    } catch (error) {
      const isRefused = error instanceof StoreError && error.kind === "rejected";
      if (range === undefined || !isRefused) throw error;
      const beyond = await this.#withoutBytes(name, signal);
      if (beyond !== undefined && range.offset < beyond.size) throw error;
      return beyond;
    }
  }

  /** An object of which no bytes are wanted. */
  async #withoutBytes(name: string, signal: AbortSignal): Promise<OpenedObject | undefined> {
    const info = await this.#parts.records.head(name, signal);
    return info && { ...info, body: readerOfResponse(new Response()), bodyLength: 0 };
  }

  /** An object whose answer has not said how long it is. */
  async #measured(
    name: string,
    opened: OpenedObject,
    signal: AbortSignal,
  ): Promise<OpenedObject | "replaced"> {
    const info = await orDrop(opened, this.#parts.records.head(name, signal));
    if (info?.tag === opened.tag) return { ...opened, size: info.size };
    drop(opened);
    return "replaced";
  }

  #signal(options: OperationOptions | undefined): AbortSignal {
    const { signal } = this.#closing;
    return options?.signal === undefined ? signal : AbortSignal.any([options.signal, signal]);
  }
}

/** Lets go of an object that is not wanted after all. */
function drop({ body }: OpenedObject): void {
  body.cancel().catch(() => {});
}

/** What is found out about an object, which is let go of when that fails. */
async function orDrop<T>(opened: OpenedObject, finding: Promise<T>): Promise<T> {
  try {
    return await finding;
  } catch (error) {
    drop(opened);
    throw error;
  }
}

/** A range whose end is a number that a header can say. */
function askable({ offset, length }: ByteRange): ObjectRange {
  return { offset, length: Number.isSafeInteger(offset + length) ? length : undefined };
}
