import { CacheError } from "../../src/errors.ts";
import type {
  Clock,
  FrameReadOptions,
  OperationOptions,
  StoredFrame,
  StreamedEntry,
  VersionedOutcome,
} from "../../src/types.ts";
import { FramePieces } from "../_frame_pieces.ts";
import type { ConditionsOfStore } from "./conditions_of_store.ts";
import { frameStream } from "./frame_stream.ts";
import { encodeStanding } from "./object_metadata.ts";
import type { ObjectNames } from "./object_names.ts";
import type { ObjectStore } from "./object_store.ts";
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
    let upload: UploadInParts | undefined;
    let isVisible = false;
    try {
      for await (const { bytes, isLast } of pieces.parts(size)) {
        if (isLast && upload === undefined) {
          return await this.#commit(key, name, entry, signal, () =>
            requests.write(
              signal,
              (own) => store.put(name, bytes, { signal: own, metadata }),
            ));
        }
        upload ??= await UploadInParts.begin({ store, requests, name, metadata, signal });
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
    const { store, names, requests, records, clock, sweeper } = this.#parts;
    const name = await names.entry(key);
    for (let look = 0; look < MAX_LOOKS; look++) {
      const held = await records.look(name, signal);
      if (held?.standing === undefined) return undefined;
      if (held.standing.expiresAt <= clock.now()) {
        sweeper.sweep(key, name, { ...held.info });
        return undefined;
      }
      const { size: frameLength, tag } = held.info;
      const { offset = 0, length: wanted = frameLength } = options?.range ?? {};
      const length = Math.max(0, Math.min(wanted, frameLength - offset));
      // No request can ask for no bytes.
      if (length === 0) return { frameLength, frame: new Blob([]).stream() };
      const range = length === frameLength ? undefined : { offset, length };
      const opened = await requests.read(
        signal,
        (own) => store.open(name, { signal: own, range }),
      );
      if (opened?.tag === tag) return { frameLength, frame: frameStream(opened.body, signal) };
      await opened?.body.cancel();
    }
    throw new StoreError("server", { detail: "changing" });
  }

  #signal(options: OperationOptions | undefined): AbortSignal {
    const { signal } = this.#closing;
    return options?.signal === undefined ? signal : AbortSignal.any([options.signal, signal]);
  }
}
