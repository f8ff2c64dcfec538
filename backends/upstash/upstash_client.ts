import { Redis } from "@upstash/redis";
import type { UpstashClientLike } from "./upstash_config.ts";

/** A client, and how its next request is given a signal. */
export interface AimedClient {
  /** Sends requests. */
  readonly client: UpstashClientLike;
  /** Sets the signal of the request that is sent next. */
  readonly aim: (signal: AbortSignal | undefined) => void;
}

/** Makes a client that does just what it is told: no retries, no guesses at types, no telemetry. */
export function createUpstashClient({ url, token }: { url: string; token: string }): AimedClient {
  let next: AbortSignal | undefined;
  const client = new Redis({
    url,
    token,
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    // Recovery and deadlines are the manager's; the client would wait for seconds.
    retry: { retries: 0 },
    signal: () => next ?? new AbortController().signal,
  });
  return { client, aim: (signal) => void (next = signal) };
}
