/*
 * Run as a process of its own beside others over one server.
 *
 * Arguments: address of the server, milliseconds of a lease.
 *
 * For each line on standard input, a key, asks for it. Says `loading KEY` when
 * its loader is called, and `KEY VALUE` when there is a value. The value of a
 * loader is the next line that begins with `=`. A line that begins with `+` is
 * a batch of keys parted by commas, whose loader gives the keys themselves; says
 * `batch VALUES` when they are there. Says `lockError` and `lockLost KEY` where
 * that happens.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { CacheManager } from "../../../src/manager/cache_manager.ts";

const [redisUrl, lease] = process.argv.slice(2) as [string, string];
const cache = await CacheManager.open({
  backends: [{ type: "memory", maxSizeMb: 8 }, { type: "redis", redisUrl, prefix: "loads" }],
  coordination: { lockLease: `${lease}ms` },
});
cache.on("lockError", () => console.log("lockError"));
cache.on("lockLost", ({ key }) => console.log(`lockLost ${key}`));
await cache.get("a connection");
console.log("ready");
const held: ((value: string) => void)[] = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith("=")) {
    held.shift()?.(line.slice(1));
    continue;
  }
  if (line.startsWith("+")) {
    const batch = cache.getOrSetMany(line.slice(1).split(","), async (missing) => {
      for (const key of missing) console.log(`loading ${key}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
      return missing;
    });
    batch.then((values) => console.log(`batch ${values}`));
    continue;
  }
  const load = (): Promise<string> => {
    console.log(`loading ${line}`);
    const { promise, resolve } = Promise.withResolvers<string>();
    held.push(resolve);
    return promise;
  };
  cache.getOrSet(line, load).then((value) => console.log(`${line} ${value}`));
}
await cache.close();
