/*
 * Run as a process of its own beside others over one server.
 *
 * Arguments: address of the server, number of this process, operations, seed.
 *
 * Waits for a line on standard input, then does so many operations on a few
 * keys, several at a time, and says for each of them `[kind, key, value, begun,
 * ended]` as JSON, times in milliseconds of one clock for all processes.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { CacheManager } from "../../../src/manager/cache_manager.ts";
import { seededRandom } from "../../fakes/seeded_random.ts";

const [redisUrl, number, count, seed] = process.argv.slice(2) as [string, string, string, string];
const KEYS = 40;
/** Of those, the ones that are never deleted: there, nothing explains a miss. */
const KEPT = 20;
const CALLERS = 32;
const PIECE = 2000;

const random = seededRandom(Number(seed));
const cache = await CacheManager.open({
  backends: [
    { type: "memory", maxSizeMb: 8 },
    // A busy machine is not a tier that hangs: that would be a miss which nothing explains.
    { type: "redis", redisUrl, prefix: "history", deadline: "60s" },
  ],
});
await cache.get("a connection");
const now = (): number => performance.timeOrigin + performance.now();
let said: unknown[] = [];
let values = 0;
let left = Number(count);

/** Standard output keeps up with what is said in large pieces. */
async function flush(): Promise<void> {
  const text = said.map((each) => `${JSON.stringify(each)}\n`).join("");
  said = [];
  await new Promise((resolve) => process.stdout.write(text, resolve));
}

async function operate(): Promise<void> {
  const at = Math.floor(random() * KEYS);
  const key = `key ${at}`;
  const choice = random();
  const value = `${number}.${++values}`;
  const begun = now();
  if (choice < 0.75) {
    const found = await cache.get(key);
    said.push(["get", key, found ?? null, begun, now()]);
  } else if (choice < 0.95 || at < KEPT) {
    await cache.set(key, value);
    said.push(["set", key, value, begun, now()]);
  } else {
    await cache.delete(key);
    said.push(["delete", key, null, begun, now()]);
  }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
console.log("ready");
await lines.next();
await Promise.all(Array.from({ length: CALLERS }, async () => {
  while (left-- > 0) {
    await operate();
    // Messages of others are heard only between turns.
    if (left % 16 === 0) await new Promise((resolve) => setTimeout(resolve));
    if (said.length >= PIECE) await flush();
  }
}));
await flush();
console.log("done");
// It goes on to hear what the others do to the end.
await lines.next();
await cache.flush();
for (let at = 0; at < KEYS; at++) {
  console.log(JSON.stringify(["last", `key ${at}`, await cache.get(`key ${at}`) ?? null, 0, 0]));
}
console.log("end");
await lines.next();
await cache.close();
process.exit(0);
