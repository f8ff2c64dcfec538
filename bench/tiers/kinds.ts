import { openAzureKind } from "./azure.ts";
import { openFilesystemKind } from "./filesystem.ts";
import { openGcsKind } from "./gcs.ts";
import { openMemoryKind } from "./memory.ts";
import { openRedisKind, openUpstashKind } from "./redis.ts";
import { openS3Kind } from "./s3.ts";
import type { OpenTierKind } from "./store.ts";

/** All kinds of tiers, fastest first. */
export const TIER_KINDS: readonly OpenTierKind[] = [
  openMemoryKind,
  openFilesystemKind,
  openRedisKind,
  openUpstashKind,
  openS3Kind,
  openGcsKind,
  openAzureKind,
];
