import type { StreamedMetadata } from "./stream_sink.ts";
import type { Tier } from "./tier.ts";

/**
 * What another process has written or deleted later, as one of the tiers
 * knows, has the last word: takes an older copy out of the tiers that took it.
 *
 * @param outcomes what the write of the copy did in each of the tiers.
 * @returns whether one of the tiers knows something newer.
 */
export async function dropOutdated(
  tiers: readonly Tier[],
  { key, version }: Pick<StreamedMetadata, "key" | "version">,
  outcomes: readonly string[],
): Promise<boolean> {
  if (!outcomes.includes("outdated")) return false;
  await Promise.all(tiers.map(async (tier, at) => {
    if (outcomes[at] === "stored") await tier.drop(key, version);
  }));
  return true;
}
