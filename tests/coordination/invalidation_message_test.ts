import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Invalidation } from "../../src/coordination/invalidation_bus.ts";
import {
  encodeHeartbeat,
  encodeInvalidations,
  parseInvalidations,
} from "../../src/coordination/invalidation_message.ts";

const text = fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)) });
const version = fc.option(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), {
  nil: undefined,
});
const NO_PROTOTYPE = { noNullPrototype: true };
const invalidation: fc.Arbitrary<Invalidation> = fc.oneof(
  fc.record({ kind: fc.constant("key" as const), key: text, version }, NO_PROTOTYPE),
  fc.record({ kind: fc.constant("tag" as const), tag: text, version }, NO_PROTOTYPE),
  fc.record({
    kind: fc.constant("clear" as const),
    pattern: fc.option(text, { nil: undefined }),
    version,
  }, NO_PROTOTYPE),
);

describe("encodeInvalidations()", () => {
  it("makes messages that parseInvalidations() reads back", () => {
    fc.assert(fc.property(fc.array(invalidation), (sent) => {
      const messages = encodeInvalidations("sender", sent).map((message) =>
        parseInvalidations(new TextDecoder().decode(new TextEncoder().encode(message)))
      );
      assert.ok(messages.every((message) => message?.sender === "sender"));
      assert.deepEqual(messages.flatMap((message) => message?.invalidations ?? []), sent);
    }));
  });

  it("makes no message of nothing, and few of many", () => {
    assert.deepStrictEqual(encodeInvalidations("s", []), []);
    const many = Array.from({ length: 1000 }, (_, at): Invalidation => ({
      kind: "key",
      key: `key:${at}`,
      version: at,
    }));
    assert.equal(encodeInvalidations("s", many).length, 1);
  });
});

describe("parseInvalidations()", () => {
  it("reads a heartbeat as nothing", () => {
    assert.deepStrictEqual(parseInvalidations(encodeHeartbeat("me")), {
      sender: "me",
      invalidations: [],
    });
  });

  const hostile: readonly unknown[] = [
    undefined,
    null,
    1,
    {},
    "",
    "null",
    "[]",
    "{}",
    '{"v":1}',
    '{"v":2,"s":"x","i":[]}',
    '{"v":"1","s":"x","i":[]}',
    '{"v":1,"s":7,"i":[]}',
    `{"v":1,"s":"${"x".repeat(65)}","i":[]}`,
    '{"v":1,"s":"x","i":{}}',
    '{"v":1,"s":"x","i":[1]}',
    '{"v":1,"s":"x","i":[["k","key"]]}',
    '{"v":1,"s":"x","i":[["k",7,1]]}',
    '{"v":1,"s":"x","i":[["k",null,1]]}',
    '{"v":1,"s":"x","i":[["t",null,1]]}',
    '{"v":1,"s":"x","i":[["z","key",1]]}',
    '{"v":1,"s":"x","i":[["k","key","1"]]}',
    '{"v":1,"s":"x","i":[["k","key",-1]]}',
    '{"v":1,"s":"x","i":[["k","key",1],["k","key",1,2]]}',
    `{"v":1,"s":"x","i":[${'["k","",1],'.repeat(20_000)}["k","",1]]}`,
    `{"v":1,"s":"x","i":[["k","${"x".repeat(200_000)}",1]]}`,
    "[".repeat(100_000),
  ];
  for (const [at, message] of hostile.entries()) {
    it(`refuses hostile message ${at}: ${String(message).slice(0, 60)}`, () => {
      assert.equal(parseInvalidations(message), undefined);
    });
  }

  it("never throws", () => {
    fc.assert(fc.property(fc.oneof(text, fc.json()), (message) => {
      const parsed = parseInvalidations(message);
      assert.ok(parsed === undefined || Array.isArray(parsed.invalidations));
    }));
  });
});
