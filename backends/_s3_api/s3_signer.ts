import { StoreError } from "../_object_store/store_error.ts";

/** Keys of an account. */
export interface S3Credentials {
  /** Names the key. */
  readonly accessKeyId: string;
  /** The secret. */
  readonly secretAccessKey: string;
  /** Goes with temporary ones. */
  readonly sessionToken?: string | undefined;
  /** When temporary ones end. */
  readonly expiration?: Date | undefined;
}

/** Credentials, or what gives them whenever those that it gave have ended. */
export type S3CredentialSource = S3Credentials | (() => Promise<S3Credentials>);

/** A request to be signed. */
export interface SignableRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
}

/** How long before their end temporary credentials are asked for anew, in milliseconds. */
const EARLY_MS = 60_000;

type Aws4Fetch = typeof import("aws4fetch");

/**
 * Signs requests with AWS Signature Version 4, by `aws4fetch`. The time is the
 * store's where it has turned out to differ from this machine's.
 */
export class S3Signer {
  readonly #source: S3CredentialSource;
  readonly #region: string;
  readonly #cache = new Map<string, ArrayBuffer>();
  #library: Aws4Fetch | undefined;
  #credentials: S3Credentials | undefined;
  #asking: Promise<S3Credentials> | undefined;
  #offset = 0;

  constructor(source: S3CredentialSource, region: string) {
    this.#source = source;
    this.#region = region;
  }

  /** The headers of a request, with its signature. */
  async sign({ method, url, headers }: SignableRequest): Promise<Headers> {
    const library = this.#library ??= await import("aws4fetch");
    const now = Date.now();
    const known = this.#credentials;
    const { accessKeyId, secretAccessKey, sessionToken } = known !== undefined &&
        (known.expiration === undefined || known.expiration.getTime() - now > EARLY_MS)
      ? known
      : await this.#ask();
    const datetime = new Date(now + this.#offset).toISOString().replace(/[:-]|\.\d{3}/g, "");
    const signer = new library.AwsV4Signer({
      method,
      url,
      headers,
      accessKeyId,
      secretAccessKey,
      ...(sessionToken === undefined ? {} : { sessionToken }),
      service: "s3",
      region: this.#region,
      cache: this.#cache,
      datetime,
    });
    return (await signer.sign()).headers;
  }

  /** Signs with the store's time from now on. */
  correct(serverTime: number): void {
    this.#offset = serverTime - Date.now();
  }

  /** Asks once for all who want credentials meanwhile. */
  #ask(): Promise<S3Credentials> {
    const source = this.#source;
    this.#asking ??= (async () => {
      try {
        return this.#credentials = typeof source === "function" ? await source() : source;
      } catch {
        // What it says may hold a secret.
        throw new StoreError("credentials");
      } finally {
        this.#asking = undefined;
      }
    })();
    return this.#asking;
  }
}
