import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BUILTIN_CODECS, BUILTIN_SERIALIZERS } from "../src/builtins.ts";
import {
  codecById,
  codecByName,
  codecNames,
  registerCodec,
  registerSerializer,
  serializerById,
  serializerByName,
  serializerNames,
} from "../src/formats.ts";
import { jsonSerializer } from "../src/serializers/json.ts";
import type { Codec, Serializer } from "../src/types.ts";

function codecOf(name: string, id: number): Codec {
  return { name, id, encode: (bytes) => bytes, decode: (bytes) => bytes };
}

function serializerOf(name: string, id: number): Serializer {
  return { name, id, encode: jsonSerializer.encode, decode: jsonSerializer.decode };
}

describe("built-in formats", () => {
  it("have the ids that stored frames name", () => {
    const ids = (table: Readonly<Record<string, { id: number }>>) =>
      Object.entries(table).map(([name, { id }]) => `${name} ${id}`);
    assert.deepStrictEqual(ids(BUILTIN_CODECS).slice(0, 5), [
      ...["lz4 1", "zstd 2", "gzip 3", "deflate 4", "brotli 5"],
    ]);
    assert.deepStrictEqual(ids(BUILTIN_SERIALIZERS).slice(0, 3), [
      ...["json 1", "msgpack 2", "structured 3"],
    ]);
  });

  for (const [name, { id }] of Object.entries(BUILTIN_CODECS)) {
    it(`codecByName() and codecById() load ${name} once, under its own name and id`, async () => {
      const [codec, again] = await Promise.all([codecByName(name), codecByName(name)]);
      assert.deepStrictEqual([codec.name, codec.id], [name, id]);
      assert.equal(again, codec);
      assert.equal(codecById(id), codec);
    });
  }

  for (const [name, { id }] of Object.entries(BUILTIN_SERIALIZERS)) {
    it(`serializerByName() and serializerById() load ${name} once`, async () => {
      const [serializer, byId] = await Promise.all([serializerByName(name), serializerById(id)]);
      assert.deepStrictEqual([serializer.name, serializer.id], [name, id]);
      assert.equal(byId, serializer);
      assert.equal(serializerById(id), serializer);
    });
  }
});

describe("registerCodec() and registerSerializer()", () => {
  it("make a format known by name and by id", async () => {
    const codec = codecOf("own-codec", 250);
    registerCodec(codec);
    registerCodec(codec);
    assert.equal(await codecByName("own-codec"), codec);
    assert.equal(codecById(250), codec);
    assert.ok(codecNames().includes("own-codec"));

    const serializer = serializerOf("own-serializer", 250);
    registerSerializer(serializer);
    assert.equal(await serializerByName("own-serializer"), serializer);
    assert.equal(serializerById(250), serializer);
    assert.ok(serializerNames().includes("own-serializer"));
    assert.ok(!codecNames().includes("own-serializer"));
  });

  for (const id of [0, 1, 127, 256, -1, 128.5, NaN]) {
    it(`refuse the id ${id}`, () => {
      assert.throws(() => registerCodec(codecOf("x", id)), {
        name: "RangeError",
        message:
          `Cannot register codec "x": 'id' must be an integer from 128 to 255: current value is ${id}`,
      });
      assert.throws(() => registerSerializer(serializerOf("x", id)), RangeError);
    });
  }

  it("refuse what is no codec or serializer, and say what it lacks", () => {
    const cases: [value: unknown, message: string][] = [
      [null, "it must be an object: current value is null"],
      ["gzip", 'it must be an object: current value is "gzip"'],
      [{ id: 253 }, "'name' must be a non-empty string: current value is undefined"],
      [{ name: "", id: 253 }, "'name' must be a non-empty string: current value is \"\""],
    ];
    for (const [value, message] of cases) {
      assert.throws(() => registerCodec(value as Codec), {
        name: "TypeError",
        message: `Cannot register codec: ${message}`,
      });
      assert.throws(() => registerSerializer(value as Serializer), {
        name: "TypeError",
        message: `Cannot register serializer: ${message}`,
      });
    }
    const halves = { name: "half", id: 253, encode: (bytes: Uint8Array) => bytes };
    assert.throws(() => registerCodec(halves as unknown as Codec), {
      name: "TypeError",
      message: `Cannot register codec "half": it has no method 'decode'`,
    });
    assert.equal(codecById(253), undefined);
  });

  it("refuse a name or an id that another has", () => {
    registerCodec(codecOf("first", 251));
    assert.throws(() => registerCodec(codecOf("second", 251)), {
      name: "TypeError",
      message: 'Cannot register codec "second" with id 251: "first" has that name or id already',
    });
    assert.throws(() => registerCodec(codecOf("first", 252)), TypeError);
    assert.throws(() => registerCodec(codecOf("zstd", 252)), TypeError);
    assert.throws(() => registerSerializer(serializerOf("json", 252)), TypeError);
    assert.equal(codecById(252), undefined);
  });
});

describe("codecByName() and serializerByName()", () => {
  it("name what is known, and the nearest", async () => {
    await assert.rejects(codecByName("ztsd"), (error: Error) => {
      return error instanceof TypeError &&
        /^Cannot find codec "ztsd": known are lz4, zstd, .*: did you mean "zstd"\?$/.test(
          error.message,
        );
    });
    await assert.rejects(serializerByName("yaml"), {
      name: "TypeError",
      message: /^Cannot find serializer "yaml": known are json, msgpack, structured/,
    });
  });

  it("take no name from the prototype of objects", async () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      await assert.rejects(codecByName(name), TypeError);
      await assert.rejects(serializerByName(name), TypeError);
    }
  });
});

describe("codecById() and serializerById()", () => {
  it("answer undefined for an id that nothing has", () => {
    assert.equal(codecById(99), undefined);
    assert.equal(serializerById(0), undefined);
    assert.equal(serializerById(255), undefined);
  });
});
