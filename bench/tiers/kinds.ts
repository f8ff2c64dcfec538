import { openAzureKind } from "./azure.ts";
import { openFilesystemKind } from "./filesystem.ts";
import { openGcsKind } from "./gcs.ts";
import { openMemoryKind } from "./memory.ts";
import { openRedisKind, openUpstashKind } from "./redis.ts";
import { openS3Kind } from "./s3.ts";
import type { OpenTierKind } from "./store.ts";

/** All kinds of tiers, fastest first. */
export const TIER_KINDS: ReadonlyMap<string, OpenTierKind> = new Map([
  ["memory", openMemoryKind],
  ["filesystem", openFilesystemKind],
  ["redis", openRedisKind],
  ["upstash", openUpstashKind],
  ["s3", openS3Kind],
  ["gcs", openGcsKind],
  ["azure", openAzureKind],
]);
