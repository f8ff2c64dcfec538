/*
 * Run as a process of its own to be killed: fills a cache that keeps snapshots
 * and makes one after another for ever. Writes a line for each that is made,
 * and one for each value that was deleted or replaced since.
 *
 * Arguments: path of the snapshot, number of entries.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { CacheManager } from "../../src/manager/cache_manager.ts";

const [path, count] = process.argv.slice(2) as [string, string];
const cache = await CacheManager.open({
  backends: [{ type: "memory" }],
  snapshot: { path, interval: Infinity },
});
const say = (line: string): void => void writeSync(1, `${line}\n`);
const entries = Array.from({ length: Number(count) }, (_, at) => ({
  key: `key ${at}`,
  value: { round: 0, bytes: new Uint8Array(2000).fill(at % 256) },
}));
await cache.setMany(entries);
for (let round = 1;; round++) {
  await cache.saveSnapshot();
  say(`saved ${round}`);
  const making = round > 1 ? cache.saveSnapshot() : undefined;
  for (let at = round % 7; at < entries.length; at += 7) {
    const { key } = entries[at]!;
    if (at % 2 === 0) {
      await cache.delete(key);
      say(`gone ${key}`);
    } else {
      await cache.set(key, { round, bytes: new Uint8Array(10) });
      say(`set ${key} ${round}`);
    }
    if (at % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await making;
}
