/*
 * Another process, for redis_bench.ts: listener.ts URL PREFIX. Says "ready"
 * once it hears what changes in a cache, then a line for each change, and ends
 * with its standard input.
 */

import process from "node:process";
import { RedisBackend } from "../../backends/redis.ts";

const [, , redisUrl = "", prefix = ""] = process.argv;
const backend = new RedisBackend({ redisUrl, prefix });
backend.createInvalidationBus().subscribe({
  connected: () => console.log("ready"),
  disconnected: (error) => console.error(error.message),
  invalidated: () => console.log("heard"),
});
process.stdin.resume().on("end", () => process.exit());
