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
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Sends an object in parts: one is on its way while its caller gathers the next. */
export class UploadInParts {
  readonly #upload: ObjectUpload;
  readonly #requests: Requests;
  readonly #signal: AbortSignal;
  #count = 0;
  #sending: Promise<void> = Promise.resolve();

  private constructor(upload: ObjectUpload, { requests, signal }: UploadInPartsOptions) {
    this.#upload = upload;
    this.#requests = requests;
    this.#signal = signal;
  }

  /** Begins an upload. */
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
    this.#sending = this.#requests.read(
      this.#signal,
      (own) => this.#upload.part(bytes, at, { signal: own }),
    );
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
