import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { canonical } from "../src/_canonical.ts";

function text(value: unknown): string {
  return canonical(value, "Cannot make query key", "filters");
}

/** Values that a careless form would mix up; few, so that equal pairs are common. */
const lookalikes: fc.Arbitrary<unknown> = fc.constantFrom(
  1,
  "1",
  1n,
  "1n",
  0,
  -0,
  "-0",
  NaN,
  "NaN",
  Infinity,
  -Infinity,
  true,
  "true",
  null,
  "null",
  "undefined",
  "",
  ",",
  "a",
  "a,b",
  '"a"',
  "[1]",
  "{}",
  "\\",
  "\ud800",
  "\\ud800",
  "\u00e9",
  "e\u0301",
);
const objects: fc.Arbitrary<unknown> = fc.constantFrom(0, 1, NaN).chain((number) =>
  fc.constantFrom<unknown>(
    new Date(number),
    `Date(${number})`,
    /a/g,
    /a/i,
    /A/g,
    new Uint8Array([number]),
    new Int8Array([number]),
    new Float32Array([number]),
    new Float32Array([number, number]),
    new Uint8Array([number]).buffer,
    new DataView(new Uint8Array([number]).buffer),
  )
);
const values: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    lookalikes,
    objects,
    fc.array(fc.oneof(tie("value"), fc.constant(undefined)), { maxLength: 3 }),
    fc.array(fc.tuple(fc.constantFrom("a", "b", "a,b", "1", "__proto__"), tie("value")), {
      maxLength: 3,
    })
      .map((members) => Object.fromEntries(members)),
    fc.array(tie("value"), { maxLength: 2 }).map((members) => new Set(members)),
    fc.array(fc.tuple(lookalikes, tie("value")), { maxLength: 2 }).map((members) =>
      new Map(members)
    ),
  ),
})).value;

/** The same value with the keys of every plain object, Set and Map in the opposite order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (value instanceof Set) return new Set([...value].reverse().map(turned));
  if (value instanceof Map) {
    return new Map([...value].reverse().map(([key, member]) => [key, turned(member)]));
  }
  if (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
  ) {
    const members = Object.entries(value).reverse();
    return Object.fromEntries(members.map(([key, member]) => [key, turned(member)]));
  }
  return value;
}

describe("canonical()", () => {
  it("gives the same text exactly when values are deeply equal", () => {
    fc.assert(
      fc.property(values, values, (one, other) => {
        assert.equal(text(one) === text(other), isDeepStrictEqual(one, other));
      }),
      { numRuns: 3000 },
    );
  });

  it("gives the same text whatever the order of keys and members", () => {
    fc.assert(fc.property(values, (value) => assert.equal(text(turned(value)), text(value))));
  });

  it("keeps the order of arrays", () => {
    assert.notEqual(text([1, 2]), text([2, 1]));
  });

  it("takes a property that is undefined as absent, apart from one that is null", () => {
    assert.equal(text({ a: undefined, b: 1 }), text({ b: 1 }));
    assert.notEqual(text({ a: null, b: 1 }), text({ b: 1 }));
    assert.notEqual(text([undefined]), text([]));
    assert.notEqual(text([undefined]), text([null]));
  });

  it("takes a hole as undefined", () => {
    // deno-lint-ignore no-sparse-arrays
    assert.equal(text([, 1]), text([undefined, 1]));
  });

  it("takes an object without a prototype for a plain one", () => {
    assert.equal(text(Object.assign(Object.create(null), { a: 1 })), text({ a: 1 }));
  });

  it("ignores where a regular expression stands", () => {
    const moved = /a/g;
    moved.lastIndex = 3;
    assert.equal(text(moved), text(/a/g));
  });

  it("allows the same object in two places", () => {
    const shared = { a: 1 };
    assert.equal(text([shared, shared]), text([{ a: 1 }, { a: 1 }]));
  });

  it("writes the documented forms", () => {
    assert.equal(
      text({ b: [1, -0, 5n, "x"], a: new Map([["k", new Set([2, 1])]]) }),
      '{"a":Map{"k"=>Set{1,2}},"b":[1,-0,5n,"x"]}',
    );
    assert.equal(text(new Float32Array([1])), "Float32Array(0000803f)");
    assert.equal(text(new Date(7)), "Date(7)");
  });

  class Point {
    x = 1;
  }
  const cycle: Record<string, unknown> = { a: [] };
  (cycle["a"] as unknown[]).push(cycle);
  let deep: unknown = 1;
  for (let depth = 0; depth < 10_000; depth++) deep = [deep];

  const refused: [string, unknown, RegExp][] = [
    ["a function", { a: [1, () => 1] }, /'filters\.a\[1\]' is a function/],
    ["a symbol", { "odd key": Symbol("s") }, /'filters\["odd key"\]' is a symbol/],
    ["a symbol as key", { [Symbol("s")]: 1 }, /'filters' has a symbol as key/],
    ["a cycle", cycle, /'filters\.a\[0\]' refers back/],
    ["endless depth", deep, /is nested more than 200 deep/],
    ["an instance of a class", { at: new Point() }, /'filters\.at' is an instance of Point/],
    ["a boxed number", [Object(1)], /'filters\[0\]' is an instance of Number/],
    ["a promise", { a: Promise.resolve() }, /'filters\.a' is an instance of Promise/],
    [
      "an array with a name",
      Object.assign([1], { "-1": 2 }),
      /'filters' is an array with a property "-1"/,
    ],
    ["a function in a Map", new Map([["a", () => 1]]), /'filters value' is a function/],
  ];
  for (const [name, value, message] of refused) {
    it(`throws a TypeError that names the path of ${name}`, () => {
      assert.throws(
        () => text(value),
        (error: unknown) => error instanceof TypeError && message.test(error.message),
      );
    });
  }
});
