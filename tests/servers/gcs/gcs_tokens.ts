import { Buffer } from "node:buffer";
import type { GcsReply } from "./gcs_buckets.ts";

/** Gives and checks tokens, as Google's token server does. */
export class GcsTokens {
  /** The JSON file of the key of a service account. */
  readonly account: {
    readonly client_email: string;
    readonly private_key: string;
    readonly private_key_id: string;
    readonly token_uri: string;
  };
  /** Tokens that requests may bear. */
  readonly valid = new Set<string>();
  /** Times that a token was asked for. */
  asked = 0;
  /** By how much its clock is ahead, in milliseconds. */
  ahead = 0;
  readonly #publicKey: CryptoKey;
  #given = 0;

  private constructor(url: string, privateKey: string, publicKey: CryptoKey) {
    this.account = {
      client_email: "tests@project.iam.gserviceaccount.com",
      private_key: privateKey,
      private_key_id: "key-1",
      token_uri: url,
    };
    this.#publicKey = publicKey;
  }

  static async create(url: string): Promise<GcsTokens> {
    const algorithm = {
      name: "RSASSA-PKCS1-v1_5",
      modulusLength: 2048,
      publicExponent: new Uint8Array([1, 0, 1]),
      hash: "SHA-256",
    };
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const der = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
    const lines = der.toString("base64").replace(/.{64}/g, "$&\n");
    const pem = `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
    return new GcsTokens(url, pem, keys.publicKey);
  }

  /** A token that is good for an hour. */
  give(): string {
    const token = `ya29.token-${++this.#given}`;
    this.valid.add(token);
    return token;
  }

  /** No token that was given is good any more. */
  revoke(): void {
    this.valid.clear();
  }

  /** Answers whoever asks for a token. */
  async exchange(form: string): Promise<GcsReply> {
    const reply = await this.#exchange(form);
    return { ...reply, headers: { date: new Date(this.#now).toUTCString() } };
  }

  async #exchange(form: string): Promise<GcsReply> {
    this.asked++;
    const fields = new URLSearchParams(form);
    const isUser = fields.get("grant_type") === "refresh_token" &&
      fields.get("refresh_token") === "refresh-1" && fields.get("client_secret") === "tool-secret";
    if (!isUser && !await this.#isSigned(fields.get("assertion") ?? "")) {
      const text = JSON.stringify({ error: "invalid_grant", error_description: "Bad Request" });
      return { status: 400, text };
    }
    return this.#token();
  }

  /** Answers a machine that asks for its own token. */
  ofMachine(flavor: string | undefined): GcsReply {
    this.asked++;
    return flavor === "Google"
      ? this.#token()
      : { status: 403, text: "Metadata-Flavor is missing" };
  }

  /** What a request that bears no good token is answered. */
  check(authorization: string | undefined): GcsReply | undefined {
    const token = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
    if (token !== undefined && this.valid.has(token)) return undefined;
    const message = "Invalid Credentials";
    const errors = [{ message, domain: "global", reason: "authError", location: "Authorization" }];
    return { status: 401, text: JSON.stringify({ error: { code: 401, message, errors } }) };
  }

  get #now(): number {
    return Date.now() + this.ahead;
  }

  #token(): GcsReply {
    const body = { access_token: this.give(), expires_in: 3599, token_type: "Bearer" };
    return { status: 200, text: JSON.stringify(body) };
  }

  async #isSigned(assertion: string): Promise<boolean> {
    const [header = "", claims = "", signature = ""] = assertion.split(".");
    const bytes = Buffer.from(signature, "base64url");
    const signed = Buffer.from(`${header}.${claims}`);
    const isRight = await crypto.subtle.verify("RSASSA-PKCS1-v1_5", this.#publicKey, bytes, signed);
    if (!isRight) return false;
    const { iss, aud, scope, iat, exp } = JSON.parse(Buffer.from(claims, "base64url").toString());
    const now = this.#now / 1000;
    return iss === this.account.client_email && aud === this.account.token_uri &&
      /devstorage/.test(scope) && iat <= now + 1 && exp > now && exp - iat <= 3600;
  }
}
