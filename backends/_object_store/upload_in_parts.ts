import type { ObjectStore, ObjectUpload } from "./object_store.ts";
import type { Requests } from "./requests.ts";

/** What an upload needs. */
export interface UploadInPartsOptions {
  /** The store. */
  readonly store: ObjectStore;
  /** Sends requests. */
  readonly requests: Requests;
  /** The object. */
  readonly name: string;
  /** What is kept beside it. */
  readonly metadata: string;
  /** Gets the memory of parts that have arrived. */
  readonly spare: Uint8Array[];
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Sends an object in parts: one is on its way while its caller gathers the next. */
export class UploadInParts {
  readonly #upload: ObjectUpload;
  readonly #requests: Requests;
  readonly #signal: AbortSignal;
  readonly #spare: Uint8Array[];
  #count = 0;
  #sending: Promise<void> = Promise.resolve();

  private constructor(upload: ObjectUpload, { requests, signal, spare }: UploadInPartsOptions) {
    this.#upload = upload;
    this.#requests = requests;
    this.#signal = signal;
    this.#spare = spare;
  }

  /**
   * Begins an upload. Where the answer of S3 is lost, another one is begun, and
   * the first stays open until `purgeExpired()` or a lifecycle rule finds it: it
   * cannot be called off here. A listing tells of an upload no metadata, but its
   * key, its class and who began it, which all writers of the entry may share,
   * when that was, in seconds, and an id that only the lost answer told: it may as
   * well be what another process has just begun.
   */
  static async begin(options: UploadInPartsOptions): Promise<UploadInParts> {
    const { store, requests, name, metadata, signal } = options;
    const upload = await requests.write(
      signal,
      (own) => store.upload(name, { signal: own, metadata }),
    );
    return new UploadInParts(upload, options);
  }

  /** Sends a part once the one before has arrived. */
  async add(bytes: Uint8Array): Promise<void> {
    await this.#sending;
    const at = this.#count++;
    let attempts = 0;
    this.#sending = this.#requests.read(this.#signal, (own) => {
      attempts++;
      return this.#upload.part(bytes, at, { signal: own });
    }).then((arrived) => {
      // An attempt that was given up may still be sending them.
      if (arrived !== undefined && attempts === 1) this.#spare.push(arrived);
    });
    this.#sending.catch(() => {});
  }

  /** Resolves when all parts have arrived. */
  settled(): Promise<void> {
    return this.#sending;
  }

  /** Makes the object visible. */
  complete(): Promise<string | "conflict"> {
    return this.#requests.write(this.#signal, (own) => this.#upload.complete({ signal: own }));
  }

  /** Removes what was sent; what cannot be removed is the business of a lifecycle rule. */
  async abort(): Promise<void> {
    // A part that arrives afterwards would stay.
    await this.#sending.catch(() => {});
    await this.#requests.write(undefined, (own) => this.#upload.abort({ signal: own }))
      .catch(() => {});
  }
}
