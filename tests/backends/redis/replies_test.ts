import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { RedisBackend } from "../../../backends/redis.ts";
import { entryOf } from "../../fakes/entries.ts";
import { type RedisServer, startRedis } from "../../servers/redis_server.ts";

let server: RedisServer;

before(async () => {
  server = await startRedis();
});
after(() => server.stop());

describe("RedisBackend", () => {
  it("hands out binary values that share no memory, so that one may be transferred", async () => {
    const backend = new RedisBackend({ redisUrl: server.url });
    const keys = Array.from({ length: 64 }, (_, at) => "k".repeat(at));
    const vector = (at: number): Float32Array => new Float32Array(100).fill(at);
    await backend.setMany(keys.map((key, at) => entryOf(key, vector(at))));
    const read = await backend.getMany(keys);
    for (const [at, entry] of read.entries()) {
      const value = await entry?.value() as Float32Array;
      assert.deepStrictEqual(value, vector(at));
      structuredClone(value, { transfer: [value.buffer as ArrayBuffer] });
    }
    assert.deepStrictEqual(await (await backend.get(keys[9] as string))?.value(), vector(9));
    await backend.close();
  });

  it("reads frames that arrive in many pieces beside small ones", async () => {
    const backend = new RedisBackend({ redisUrl: server.url });
    const sizes = [0, 3_000_000, 1, 65_536, 65_535, 200_000, 7, 1_000_000];
    const values = sizes.map((size, at) =>
      Uint8Array.from({ length: size }, (_, offset) => (offset * (at + 7)) >>> 3)
    );
    await backend.setMany(values.map((value, at) => entryOf(`key:${at}`, value)));
    const keys = values.map((_, at) => `key:${at}`);
    const [together, apart] = await Promise.all([
      backend.getMany(keys),
      Promise.all(keys.map((key) => backend.get(key))),
    ]);
    for (const entries of [together, apart]) {
      for (const [at, entry] of entries.entries()) {
        assert.deepStrictEqual(await entry?.value(), values[at]);
      }
    }
    await backend.close();
  });
});
