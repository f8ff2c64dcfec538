import type { S3Credentials } from "./s3_credentials.ts";

/** A request to be signed. */
export interface SignableRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
}

type Aws4Fetch = typeof import("aws4fetch");

/**
 * Signs requests with AWS Signature Version 4, by `aws4fetch`. The time is the
 * store's where it has turned out to differ from this machine's.
 */
export class S3Signer {
  readonly #credentials: () => Promise<S3Credentials>;
  readonly #region: string;
  readonly #cache = new Map<string, ArrayBuffer>();
  #library: Aws4Fetch | undefined;
  #offset = 0;

  /** @param credentials gives those to sign with, for every request. */
  constructor(credentials: () => Promise<S3Credentials>, region: string) {
    this.#credentials = credentials;
    this.#region = region;
  }

  /** The headers of a request, with its signature. */
  async sign({ method, url, headers }: SignableRequest): Promise<Headers> {
    const library = this.#library ??= await import("aws4fetch");
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#credentials();
    const datetime = new Date(Date.now() + this.#offset).toISOString().replace(/[:-]|\.\d{3}/g, "");
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
}
