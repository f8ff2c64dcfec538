import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { RedisBackend } from "../../../backends/redis.ts";
import { systemClock } from "../../../src/clock.ts";
import { CacheError, type CacheErrorCode, isCacheError } from "../../../src/errors.ts";
import type { BackendReport } from "../../../src/types.ts";
import { entryOf } from "../../fakes/entries.ts";
import { type RedisServer, startRedis, startRedisCluster } from "../../servers/redis_server.ts";
import { startScriptedServer } from "../../servers/scripted_server.ts";

const PASSWORD = "very-secret-pass";
const VALUE = "very-secret-value";

let plain: RedisServer;
let secured: RedisServer;
let nodes: RedisServer[];

before(async () => {
  plain = await startRedis();
  secured = await startRedis({ password: PASSWORD, tls: true });
  nodes = await startRedisCluster();
});
after(() => Promise.all([plain, secured, ...nodes].map((server) => server.stop())));

/** Opens a backend that reports to a list. */
function open(config: Record<string, unknown>): {
  backend: RedisBackend;
  reports: BackendReport[];
} {
  const reports: BackendReport[] = [];
  const context = {
    clock: systemClock,
    report: (report: BackendReport) => void reports.push(report),
  };
  return { backend: new RedisBackend({ prefix: "errors", ...config }, context), reports };
}

/** Everything that a program could log of an error. */
function all(value: unknown): string {
  return inspect(value, { depth: 20, showHidden: true }) + String(value) +
    JSON.stringify(value, Object.getOwnPropertyNames(value ?? {}));
}

function assertSecret(value: unknown): void {
  const text = all(value);
  for (const secret of [PASSWORD, VALUE, "wrong-pass"]) {
    assert.ok(!text.includes(secret), `${secret} is not in ${text}`);
  }
}

async function assertFails(
  action: Promise<unknown>,
  code: CacheErrorCode,
  reason: string,
): Promise<void> {
  const error = await action.then(() => undefined, (caught: unknown) => caught);
  assert.ok(isCacheError(error, code), `a CacheError of code ${code}: ${all(error)}`);
  assert.ok(error.message.includes(reason), `"${reason}" is in "${error.message}"`);
  assertSecret(error);
}

describe("RedisBackend names what is wrong", () => {
  const unavailable: readonly [
    name: string,
    config: () => Record<string, unknown>,
    reason: string,
  ][] = [
    ["nobody listens", () => ({ redisUrl: "redis://127.0.0.1:1" }), "nothing listens"],
    [
      "the password is missing",
      () => ({ redisUrl: secured.url, tls: { ca: secured.ca } }),
      "wants a password",
    ],
    [
      "the password is wrong",
      () => ({ redisUrl: secured.url, tls: { ca: secured.ca }, password: "wrong-pass" }),
      "refuses the user name or password",
    ],
    [
      "the certificate is not trusted",
      () => ({ redisUrl: secured.url, password: PASSWORD }),
      "'tls.ca'",
    ],
    [
      "TLS is spoken to a server without it",
      () => ({
        redisUrl: plain.url.replace("redis:", "rediss:"),
        password: PASSWORD,
        connectTimeout: "500ms",
      }),
      '"redis://"',
    ],
    [
      "no TLS is spoken to a server with it",
      () => ({ redisUrl: secured.url.replace("rediss:", "redis:"), password: PASSWORD }),
      '"rediss://"',
    ],
    ["there is no such database", () => ({ redisUrl: `${plain.url}/99` }), "no such database"],
    [
      "no sentinel knows the primary",
      () => ({ redisUrl: `redis+sentinel://127.0.0.1:1/primary` }),
      "nothing listens",
    ],
    [
      "no node of the cluster is there",
      () => ({ redisUrl: "redis+cluster://127.0.0.1:1,127.0.0.1:2" }),
      "no node of the cluster",
    ],
  ];
  for (const [name, config, reason] of unavailable) {
    it(`when ${name}`, async () => {
      const { backend, reports } = open(config());
      await assertFails(backend.get("key"), "unavailable", reason);
      await assertFails(backend.set("key", entryOf("key", VALUE)), "unavailable", reason);
      assert.equal(reports.length, 1, "an outage is reported once");
      assert.equal(reports[0]?.kind, "error");
      assertSecret(reports);
      assertSecret(backend);
      assertSecret(await backend.getStats());
      await backend.close();
    });
  }

  it("when the server is a node of a cluster", async () => {
    const { backend } = open({ redisUrl: nodes[0]?.url });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, at) => backend.set(`key:${at}`, entryOf(`key:${at}`, VALUE))),
    );
    const failed = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.ok(failed.length > 0, "some keys are another node's");
    for (const { reason } of failed) {
      assert.ok(isCacheError(reason, "unavailable") && /redis\+cluster/.test(reason.message));
      assertSecret(reason);
    }
    await backend.close();
  });

  it("when the server is a read-only replica", async () => {
    const replica = await startRedis();
    try {
      await replica.command("REPLICAOF", "127.0.0.1", "1");
      await replica.command("CONFIG", "SET", "replica-serve-stale-data", "yes");
      const { backend } = open({ redisUrl: replica.url });
      await assertFails(backend.set("key", entryOf("key", VALUE)), "backend", "read-only replica");
      assert.equal(await backend.get("key"), undefined, "it still reads");
      await backend.close();
    } finally {
      await replica.stop();
    }
  });

  it("when the server is out of memory", async () => {
    const small = await startRedis({
      args: ["--maxmemory", "1", "--maxmemory-policy", "noeviction"],
    });
    try {
      const { backend } = open({ redisUrl: small.url });
      await assertFails(backend.set("key", entryOf("key", VALUE)), "backend", "out of memory");
      assert.equal(await backend.get("key"), undefined);
      await backend.close();
    } finally {
      await small.stop();
    }
  });

  it("when the user may not do it", async () => {
    await plain.command(
      "ACL",
      "SETUSER",
      "reader",
      "on",
      `>${PASSWORD}`,
      "~*",
      "&*",
      "+@read",
      "+@connection",
    );
    const { backend } = open({
      redisUrl: plain.url.replace("//", `//reader:${PASSWORD}@`),
    });
    await assertFails(backend.set("key", entryOf("key", VALUE)), "backend", "may not do this");
    assert.equal(await backend.get("key"), undefined);
    await backend.close();
  });

  const replies: readonly [reply: string, code: CacheErrorCode, reason: string][] = [
    ["LOADING Redis is loading the dataset in memory", "unavailable", "loading its data set"],
    ["BUSY Redis is busy running a script", "unavailable", "busy with a script"],
    ["CLUSTERDOWN The cluster is down", "unavailable", "cluster is down"],
    ["MASTERDOWN Link with MASTER is down", "unavailable", "without its primary"],
    ["MISCONF Redis is configured to save RDB snapshots", "backend", "cannot save to its disk"],
    ["ASK 3999 127.0.0.1:6381", "unavailable", "part of a cluster"],
    ["NOVELTY of a later version", "backend", "the server answers NOVELTY"],
    [`ERR unknown command 'GET', with args beginning with: '${PASSWORD}'`, "unavailable", "6.2"],
    [`ERR something with ${VALUE} in it`, "backend", "the server answers ERR"],
    [`gibberish ${VALUE}`, "backend", "the client failed"],
  ];
  for (const [reply, code, reason] of replies) {
    it(`when the server replies ${reply.split(" ")[0]}: ${reason}`, async () => {
      const server = await startScriptedServer((command) =>
        command[0] === "HELLO" ? "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n" : `-${reply}\r\n`
      );
      const { backend } = open({ redisUrl: server.url });
      await assertFails(backend.get("key"), code, reason);
      await assertFails(backend.set("key", entryOf("key", VALUE)), code, reason);
      await assertFails(backend.delete("key"), code, reason);
      await assertFails(backend.clear(), code, reason);
      await assertFails(backend.getMany(["a", "b"]), code, reason);
      await backend.close();
      await server.stop();
    });
  }

  it("without the password when HELLO is not known and echoed", async () => {
    const server = await startScriptedServer((command) =>
      `-ERR unknown command '${command[0]}', with args beginning with: ${
        command.slice(1).map((arg) => `'${arg}'`).join(" ")
      }\r\n`
    );
    const { backend, reports } = open({ redisUrl: server.url, password: PASSWORD });
    await assertFails(backend.get("key"), "unavailable", "does not know the command");
    assertSecret(reports);
    await backend.close();
    await server.stop();
  });

  it("when what answers is no Redis at all", async () => {
    const server = await startScriptedServer(() => "HTTP/1.1 400 Bad Request\r\n\r\n");
    const { backend } = open({ redisUrl: server.url, connectTimeout: "2s" });
    await assert.rejects(
      backend.get("key"),
      (error) => isCacheError(error, "unavailable") || isCacheError(error, "backend"),
    );
    await backend.close();
    await server.stop();
  });
});

describe("RedisBackend takes for a miss", () => {
  const foreign: readonly [what: string, write: (stored: string) => Promise<unknown>][] = [
    ["a list", (stored) => plain.command("RPUSH", stored, "a")],
    ["an empty string", (stored) => plain.command("SET", stored, "")],
    ["text", (stored) => plain.command("SET", stored, "just text")],
    [
      "bytes that are no UTF-8",
      (stored) => plain.command("SET", stored, new Uint8Array(200).fill(0xff)),
    ],
    [
      "a frame of another key",
      async (stored) => await plain.command("SET", stored, await entryOf("other", VALUE).encode()),
    ],
    [
      "half a frame",
      async (stored) =>
        await plain.command("SET", stored, (await entryOf("key", VALUE).encode()).subarray(0, 70)),
    ],
    ["a frame with a flipped bit", async (stored) => {
      const frame = await entryOf("key", VALUE).encode();
      frame[66]! ^= 4;
      await plain.command("SET", stored, frame);
    }],
  ];
  for (const [what, write] of foreign) {
    it(`${what}, and tells`, async () => {
      const { backend, reports } = open({ redisUrl: plain.url });
      await write("errors::key");
      assert.equal(await backend.get("key"), undefined);
      assert.equal(reports.length, 1);
      const [report] = reports;
      assert.equal(report?.kind, "corrupt");
      assert.equal(report?.key, "key");
      assert.ok(report?.error instanceof CacheError);
      assert.deepStrictEqual(await backend.getStats(), { corruptions: 1 });
      assert.deepStrictEqual(await backend.getMany(["key", "none"]), [undefined, undefined]);
      if (!what.startsWith("a frame") && what !== "half a frame") {
        assert.equal(await backend.exists("key"), false);
        assert.equal(await backend.delete("key"), false);
      }
      assert.equal(await backend.set("key", entryOf("key", "good")), true);
      assert.equal(await (await backend.get("key"))?.value(), "good");
      assert.equal(await backend.delete("key"), true);
      await backend.close();
    });
  }
});
