import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { RedisBackend } from "../../../backends/redis.ts";
import type { OperationOptions } from "../../../src/types.ts";
import { entryOf } from "../../fakes/entries.ts";
import { type RedisServer, startRedis } from "../../servers/redis_server.ts";

/** Of a caller who stops waiting by itself: to make the signal would cost more than a small read. */
const GUARDED: OperationOptions = {
  isGuarded: true,
  get signal(): AbortSignal {
    throw new Error("the signal of a guarded operation was asked for");
  },
};

let server: RedisServer;

before(async () => {
  server = await startRedis();
});
after(() => server.stop());

it("what cannot be called off does not ask for the signal of a guarded operation", async () => {
  const backend = new RedisBackend({ redisUrl: server.url, prefix: "guarded" });
  // Until it is connected, the signal is for not to send what nobody waits for.
  await backend.exists("key");
  assert.deepEqual(await backend.setNewest([entryOf("key", 1)], GUARDED), ["stored"]);
  assert.equal(await (await backend.get("key", GUARDED))?.value(), 1);
  assert.equal((await backend.getMany(["key"], GUARDED)).length, 1);
  assert.equal(await backend.exists("key", GUARDED), true);
  assert.equal(await backend.deleteUpTo(["key"], Number.MAX_SAFE_INTEGER, GUARDED), 1);
  await backend.close();
});
