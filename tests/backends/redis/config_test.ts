import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RedisBackend } from "../../../backends/redis.ts";
import { parseRedisUrl } from "../../../backends/redis/redis_url.ts";
import { redisError } from "../../../backends/redis/redis_errors.ts";

const NONE = {
  kind: "single",
  tls: false,
  username: undefined,
  password: undefined,
  database: 0,
  primary: undefined,
};

describe("parseRedisUrl()", () => {
  const good: readonly [url: string, says: Record<string, unknown>][] = [
    ["redis://localhost", { hosts: [{ host: "localhost", port: 6379 }] }],
    ["redis://localhost/", { hosts: [{ host: "localhost", port: 6379 }] }],
    ["rediss://h:7000/15", { tls: true, database: 15, hosts: [{ host: "h", port: 7000 }] }],
    ["redis://[::1]:7000", { hosts: [{ host: "::1", port: 7000 }] }],
    ["redis://:pass@h", { password: "pass", hosts: [{ host: "h", port: 6379 }] }],
    ["redis://user@h", { username: "user", hosts: [{ host: "h", port: 6379 }] }],
    [
      "redis://us%3Aer:p%40ss%2Fw%3Fo%23rd@h",
      { username: "us:er", password: "p@ss/w?o#rd", hosts: [{ host: "h", port: 6379 }] },
    ],
    [
      "redis+cluster://a,b:7001,[::1]:7002",
      {
        kind: "cluster",
        hosts: [{ host: "a", port: 6379 }, { host: "b", port: 7001 }, { host: "::1", port: 7002 }],
      },
    ],
    [
      "rediss+sentinel://u:p@a,b:7001/my%20primary/2",
      {
        kind: "sentinel",
        tls: true,
        username: "u",
        password: "p",
        database: 2,
        primary: "my primary",
        hosts: [{ host: "a", port: 26379 }, { host: "b", port: 7001 }],
      },
    ],
  ];
  for (const [url, says] of good) {
    it(`reads ${url}`, () => assert.deepStrictEqual(parseRedisUrl(url), { ...NONE, ...says }));
  }

  const bad = [
    "",
    "localhost",
    "http://localhost",
    "redis:localhost",
    "redis://",
    "redis://h:0",
    "redis://h:70000",
    "redis://h:x",
    "redis://a,b",
    "redis://h/x",
    "redis://h/-1",
    "redis://h/1.5",
    "redis://h/1/2",
    "redis://h?db=1",
    "redis://u:p%@h",
    "redis://u:p@ss@h",
    "redis+cluster://h/1",
    "redis+sentinel://h",
    "redis+sentinel://h/",
    "redis+other://h",
    "redis://[::1",
  ];
  for (const url of bad) it(`refuses "${url}"`, () => assert.equal(parseRedisUrl(url), undefined));
});

describe("RedisBackend", () => {
  const SECRET = "very-secret";
  const wrong: readonly [config: Record<string, unknown>, message: RegExp][] = [
    [{}, /'redisUrl' must be given, such as "redis:/],
    [{ redisUrl: `http://u:${SECRET}@h` }, /'redisUrl' must be a URL .*current value is not shown/],
    [{ redisUrl: 7 }, /'redisUrl' must be a URL/],
    [{ redisurl: "redis://h" }, /'redisurl' is not known: did you mean "redisUrl"\?/],
    [{ redisUrl: "redis://h", password: "" }, /'password' must be a non-empty string/],
    [{ redisUrl: "redis://h", password: [SECRET] }, /'password' must be .*not shown/],
    [{ redisUrl: "redis://h", database: -1 }, /'database' must be an integer of at least 0/],
    [{ redisUrl: "redis+cluster://h", database: 1 }, /'database' must be 0 for a cluster/],
    [{ redisUrl: "redis://h", prefix: "a::b" }, /'prefix' must not have "::"/],
    [{ redisUrl: "redis://h", tls: {} }, /'tls' needs a 'redisUrl' that begins with "rediss"/],
    [{ redisUrl: "rediss://h", tls: { CA: "" } }, /'tls': 'CA' is not known/],
    [{ redisUrl: "redis://h", maxPending: 0 }, /'maxPending' must be an integer of at least 1/],
    [{ redisUrl: "redis://h", connectTimeout: 0 }, /'connectTimeout' must be positive/],
    [{ redisUrl: "redis://h", invalidation: "push" }, /'invalidation' must be one of "pubsub"/],
    [
      { redisUrl: "redis+cluster://h", invalidation: "tracking" },
      /"tracking" only for one server/,
    ],
    [{ client: 7 }, /'client' must be a client of the "redis" package, and no pool/],
    [
      { client: { sendCommand() {}, execute() {}, clientsInUse: 0 } },
      /'client' must be a client of the "redis" package, and no pool/,
    ],
    [
      { client: { sendCommand() {} }, redisUrl: `redis://u:${SECRET}@h` },
      /'client' and 'redisUrl' exclude each other/,
    ],
  ];
  for (const [config, message] of wrong) {
    it(`refuses ${Object.keys(config).join(" and ") || "nothing"}: ${message.source}`, () => {
      assert.throws(() => new RedisBackend(config), (error) => {
        assert.ok(error instanceof TypeError || error instanceof RangeError);
        assert.match(error.message, /^Cannot open redis backend: /);
        assert.match(error.message, message);
        assert.ok(!error.message.includes(SECRET));
        return true;
      });
    });
  }
});

describe("redisError()", () => {
  const options = { backend: "redis", action: "Cannot read from Redis" };
  const failures: readonly [text: string, code: string | undefined, reason: RegExp][] = [
    ["getaddrinfo ENOTFOUND redis.example", "ENOTFOUND", /host name cannot be found/],
    ["read ECONNRESET", "ECONNRESET", /connection is lost/],
    ["connect ETIMEDOUT 10.0.0.1:6379", "ETIMEDOUT", /did not answer in time/],
    ["Too many Cluster redirections", undefined, /cluster is moving/],
    ["All the root nodes are unavailable", undefined, /no node of the cluster/],
    ["The client is offline", undefined, /connection is lost/],
    ["invalid peer certificate: UnknownIssuer", "InvalidData", /'tls.ca'/],
    ["received corrupt message of type InvalidContentType", "InvalidData", /"redis:\/\/"/],
  ];
  for (const [text, code, reason] of failures) {
    it(`knows "${text}"`, () => {
      const error = redisError(Object.assign(new Error(text), code && { code }), options);
      assert.equal(error.code, "unavailable");
      assert.match(error.message, reason);
      assert.equal(
        (error.cause as { code?: string } | undefined)?.code,
        /^E/.test(code ?? "") ? code : undefined,
      );
    });
  }

  it("knows what is behind several attempts at once", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED ::1:6379"), {
      code: "ECONNREFUSED",
    });
    const all = Object.assign(new AggregateError([refused, refused]), { code: "ECONNREFUSED" });
    assert.match(redisError(all, options).message, /nothing listens/);
  });

  it("says nothing of what is no error", () => {
    assert.match(redisError("very-secret", options).message, /an unknown failure$/);
  });
});
