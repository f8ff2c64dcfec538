import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigReader, parseDuration, show } from "../src/config.ts";

const KNOWN = ["name", "mode", "on", "count", "maxSizeMb", "maxBytes", "ttl", "make"];
const SUBJECT = "Cannot open test backend";

function reader(config: unknown): ConfigReader {
  return new ConfigReader(SUBJECT, config, KNOWN);
}

interface Refusal {
  readonly config: Record<string, unknown>;
  readonly read: (reader: ConfigReader) => unknown;
  readonly name: "TypeError" | "RangeError";
  readonly message: string;
}

describe("ConfigReader", () => {
  it("takes an object of known fields, one without prototype included", () => {
    const config = Object.assign(Object.create(null) as Record<string, unknown>, { count: 3 });
    assert.equal(reader(config).integer("count", { min: 1 }), 3);
    assert.equal(reader({ make: KNOWN }).raw("make"), KNOWN);
  });

  it("reads a field that is absent or undefined as undefined", () => {
    for (const config of [{}, { name: undefined, count: undefined }]) {
      const fields = reader(config);
      assert.equal(fields.string("name"), undefined);
      assert.equal(fields.oneOf("mode", ["a"]), undefined);
      assert.equal(fields.boolean("on"), undefined);
      assert.equal(fields.integer("count", { min: 0 }), undefined);
      assert.equal(fields.bytes("maxBytes"), undefined);
      assert.equal(fields.maxBytes(), undefined);
      assert.equal(fields.duration("ttl"), undefined);
      assert.equal(fields.function("make"), undefined);
    }
  });

  it("reads each kind of field", () => {
    const make = (): void => {};
    const fields = reader({ name: "n", mode: "b", on: false, count: 0, ttl: "2m", make });
    assert.equal(fields.string("name"), "n");
    assert.equal(fields.oneOf("mode", ["a", "b"]), "b");
    assert.equal(fields.boolean("on"), false);
    assert.equal(fields.integer("count", { min: 0, max: 0 }), 0);
    assert.equal(fields.duration("ttl"), 120_000);
    assert.equal(fields.function("make"), make);
  });

  const sizes: readonly [size: unknown, bytes: number][] = [
    [1, 1],
    [1.9, 1],
    [Infinity, Infinity],
    ["1b", 1],
    ["64MB", 64 * 1024 * 1024],
    ["64 mb", 64 * 1024 * 1024],
    [" 1.5kb ", 1536],
    ["2GB", 2 * 1024 ** 3],
    ["1TB", 1024 ** 4],
  ];
  for (const [size, bytes] of sizes) {
    it(`bytes() reads ${show(size)} as ${bytes}`, () => {
      assert.equal(reader({ maxBytes: size }).bytes("maxBytes"), bytes);
      assert.equal(reader({ maxBytes: size }).maxBytes(), bytes);
    });
  }

  it("maxBytes() reads maxSizeMb in MiB", () => {
    assert.equal(reader({ maxSizeMb: 64 }).maxBytes(), 64 * 1024 * 1024);
    assert.equal(reader({ maxSizeMb: 0.5 }).maxBytes(), 524_288);
  });

  const notAnObject: readonly [config: unknown, shown: string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [7, "7"],
    ["redis", '"redis"'],
    [[], "an array"],
    [() => 1, "a function"],
  ];
  for (const [config, shown] of notAnObject) {
    it(`refuses ${shown} as config`, () => {
      assert.throws(() => reader(config), {
        name: "TypeError",
        message: `${SUBJECT}: config must be an object: current value is ${shown}`,
      });
    });
  }

  it("refuses a field that is not known and names the nearest", () => {
    assert.throws(() => reader({ maxSizeMB: 1 }), {
      name: "TypeError",
      message: `${SUBJECT}: 'maxSizeMB' is not known: did you mean "maxSizeMb"?`,
    });
    assert.throws(() => reader({ somethingElse: 1 }), {
      message: `${SUBJECT}: 'somethingElse' is not known`,
    });
    assert.throws(() => reader(JSON.parse('{"__proto__": 1}')), /'__proto__' is not known/);
  });

  const refusals: readonly Refusal[] = [
    ...[7, "", null, {}].map((value): Refusal => ({
      config: { name: value },
      read: (fields) => fields.string("name"),
      name: "TypeError",
      message: `'name' must be a non-empty string: current value is ${show(value)}`,
    })),
    {
      config: { mode: "lur" },
      read: (fields) => fields.oneOf("mode", ["lru", "fifo"]),
      name: "TypeError",
      message: `'mode' must be one of "lru", "fifo": current value is "lur": did you mean "lru"?`,
    },
    {
      config: { mode: 3 },
      read: (fields) => fields.oneOf("mode", ["lru"]),
      name: "TypeError",
      message: `'mode' must be one of "lru": current value is 3`,
    },
    ...["true", 1, null].map((value): Refusal => ({
      config: { on: value },
      read: (fields) => fields.boolean("on"),
      name: "TypeError",
      message: `'on' must be true or false: current value is ${show(value)}`,
    })),
    ...["3", null, 3n].map((value): Refusal => ({
      config: { count: value },
      read: (fields) => fields.integer("count", { min: 1 }),
      name: "TypeError",
      message: `'count' must be an integer: current value is ${show(value)}`,
    })),
    ...[0, -1, 1.5, NaN, Infinity, 2 ** 53].map((value): Refusal => ({
      config: { count: value },
      read: (fields) => fields.integer("count", { min: 1 }),
      name: "RangeError",
      message: `'count' must be an integer of at least 1: current value is ${value}`,
    })),
    {
      config: { count: 10 },
      read: (fields) => fields.integer("count", { min: 1, max: 9 }),
      name: "RangeError",
      message: "'count' must be an integer from 1 to 9: current value is 10",
    },
    ...[true, null, "64", "MB", "64 MBit", "-1MB", "1e3KB", "", "64constructor"].map(
      (value): Refusal => ({
        config: { maxBytes: value },
        read: (fields) => fields.maxBytes(),
        name: "TypeError",
        message:
          `'maxBytes' must be a number of bytes or a string such as "64MB": current value is ${
            show(value)
          }`,
      }),
    ),
    ...[0, -5, NaN, 0.5, -Infinity, -0].map((value): Refusal => ({
      config: { maxBytes: value },
      read: (fields) => fields.maxBytes(),
      name: "RangeError",
      message: `'maxBytes' must be a positive number of bytes: current value is ${show(value)}`,
    })),
    ...["0MB", "0.1b"].map((value): Refusal => ({
      config: { maxBytes: value },
      read: (fields) => fields.maxBytes(),
      name: "RangeError",
      message: `'maxBytes' must be at least 1 byte: current value is "${value}"`,
    })),
    {
      config: { maxSizeMb: "64" },
      read: (fields) => fields.maxBytes(),
      name: "TypeError",
      message: `'maxSizeMb' must be a positive number: current value is "64"`,
    },
    ...[-3, 0, NaN, 1e-9].map((value): Refusal => ({
      config: { maxSizeMb: value },
      read: (fields) => fields.maxBytes(),
      name: "RangeError",
      message: `'maxSizeMb' must be a positive number: current value is ${value}`,
    })),
    {
      config: { maxSizeMb: 1, maxBytes: 1 },
      read: (fields) => fields.maxBytes(),
      name: "TypeError",
      message: "'maxSizeMb' and 'maxBytes' exclude each other: give one of them",
    },
    {
      config: { make: {} },
      read: (fields) => fields.function("make"),
      name: "TypeError",
      message: "'make' must be a function: current value is an object",
    },
    {
      config: { ttl: "soon" },
      read: (fields) => fields.duration("ttl"),
      name: "TypeError",
      message:
        `'ttl' must be a number of seconds or a string such as "15m": current value is "soon"`,
    },
  ];
  for (const { config, read, name, message } of refusals) {
    it(`throws: ${message}`, () => {
      assert.throws(() => read(reader(config)), { name, message: `${SUBJECT}: ${message}` });
    });
  }
});

describe("parseDuration()", () => {
  const durations: readonly [given: unknown, milliseconds: number][] = [
    [1, 1000],
    [0.25, 250],
    [Infinity, Infinity],
    ["250ms", 250],
    ["1s", 1000],
    ["1.5s", 1500],
    ["15m", 900_000],
    ["2 H", 7_200_000],
    ["7d", 604_800_000],
    ["1w", 604_800_000],
    [8.64e12, 8.64e15],
  ];
  for (const [given, milliseconds] of durations) {
    it(`reads ${show(given)} as ${milliseconds} ms`, () => {
      assert.equal(parseDuration(given, "Cannot set: 'ttl'"), milliseconds);
    });
  }

  for (const given of ["", "15", "m", "-5m", "5 minutes", "1e3s", "5toString", null, true, {}]) {
    it(`throws a TypeError for ${show(given)}`, () => {
      assert.throws(() => parseDuration(given, "Cannot set: 'ttl'"), {
        name: "TypeError",
        message:
          `Cannot set: 'ttl' must be a number of seconds or a string such as "15m": current value is ${
            show(given)
          }`,
      });
    });
  }

  for (const given of [0, -0, -1, NaN, -Infinity, 1e300, 8.65e12, "0s", "99999999999w"]) {
    it(`throws a RangeError for ${show(given)}`, () => {
      assert.throws(() => parseDuration(given, "Cannot set: 'ttl'"), {
        name: "RangeError",
        message:
          `Cannot set: 'ttl' must be positive and at most 8640000000000 seconds: current value is ${
            show(given)
          }`,
      });
    });
  }
});

describe("show()", () => {
  it("shows what is plain and names the kind of what is not", () => {
    const values = ["a\n", 1, -0, NaN, 5n, true, null, undefined, Symbol("s"), [], {}, new Date()];
    assert.deepStrictEqual(values.map(show), [
      ...['"a\\n"', "1", "-0", "NaN", "5n", "true", "null", "undefined", "a symbol", "an array"],
      ...["an object", "an object"],
    ]);
  });

  it("shows 80 characters of a long string", () => {
    assert.equal(show("x".repeat(500)), `"${"x".repeat(80)}…"`);
    assert.equal(show("x".repeat(80)), `"${"x".repeat(80)}"`);
  });
});
