import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WriteFormat } from "../../src/entry/content.ts";
import { CacheEntry } from "../../src/entry/entry.ts";
import { decodeFrame, encodeFrame, type EntryMetadata } from "../../src/entry/frame.ts";
import { isCacheError } from "../../src/errors.ts";
import { jsonSerializer } from "../../src/serializers/json.ts";
import type { Codec, Serializer } from "../../src/types.ts";

const METADATA: EntryMetadata = {
  createdAt: 1000,
  expiresAt: 2000,
  staleUntil: 3000,
  version: 7,
  tags: ["a", "b"],
};

function countingFormat(codec?: Codec): { format: WriteFormat; encodes: () => number } {
  let encodes = 0;
  const serializer: Serializer = {
    ...jsonSerializer,
    encode(value) {
      encodes++;
      return jsonSerializer.encode(value);
    },
  };
  return { format: { serializer, codec, compressionMinBytes: 0 }, encodes: () => encodes };
}

describe("CacheEntry", () => {
  it("of() holds the value alive and its metadata", () => {
    const value = { a: 1 };
    const { format, encodes } = countingFormat();
    const entry = CacheEntry.of("k", value, METADATA, format);
    const { key, createdAt, expiresAt, staleUntil, version, tags } = entry;
    assert.deepStrictEqual({ key, createdAt, expiresAt, staleUntil, version, tags }, {
      key: "k",
      ...METADATA,
    });
    assert.equal(entry.value(), value);
    assert.equal(entry.isLive, true);
    assert.equal(encodes(), 0);
  });

  it("encode() makes the value bytes once, and a frame of its own each time", async () => {
    const { format, encodes } = countingFormat();
    const entry = CacheEntry.of("k", [1, 2], METADATA, format);
    assert.equal(entry.encodedSize, undefined);
    const frames = await Promise.all([entry.encode(), entry.encode()]);
    assert.deepStrictEqual(frames[0], frames[1]);
    assert.notEqual(frames[0], frames[1]);
    frames[0].fill(0);
    assert.deepStrictEqual(await entry.encode(), frames[1]);
    assert.equal(encodes(), 1);
    assert.equal(entry.encodedSize, 64 + 5 + 1);
    const { key, metadata } = decodeFrame(frames[1]);
    assert.deepStrictEqual([key, metadata], ["k", METADATA]);
  });

  it("encode() makes the value bytes once while an asynchronous codec is at work", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let codecCalls = 0;
    const codec: Codec = {
      name: "slow",
      id: 240,
      async encode(bytes) {
        codecCalls++;
        await promise;
        return bytes.slice(0, 8);
      },
      decode: () => assert.fail("never asked"),
    };
    const { format, encodes } = countingFormat(codec);
    const entry = CacheEntry.of("k", "x".repeat(5000), METADATA, format);
    const asked = [entry.encode(), entry.prepare(), entry.withTimes(5000, 5000).encode()];
    resolve();
    const [frame, , later] = await Promise.all(asked);
    assert.equal(decodeFrame(frame as Uint8Array).payload.codec, 240);
    assert.equal(decodeFrame(later as Uint8Array).metadata.expiresAt, 5000);
    assert.deepStrictEqual([encodes(), codecCalls], [1, 1]);
  });

  it("prepare() fixes the bytes before the value changes", async () => {
    const value = [1];
    const entry = CacheEntry.of("k", value, METADATA, countingFormat().format);
    await entry.prepare();
    value.push(2);
    const frame = await entry.encode();
    assert.deepStrictEqual(await CacheEntry.decode("k", frame).value(), [1]);
  });

  it("encode() throws a TypeError with the path for what the serializer cannot carry", () => {
    const entry = CacheEntry.of("k", { a: [1n] }, METADATA, countingFormat().format);
    assert.throws(() => entry.encode(), { name: "TypeError", message: /BigInt at \$\.a\[0\]/ });
    assert.throws(() => entry.prepare(), TypeError);
  });

  it("decode() brings back the value, decoded on the first call", async () => {
    const { format } = countingFormat();
    const frame = await CacheEntry.of("k", { a: [1] }, METADATA, format).encode();
    const entry = CacheEntry.decode("k", frame);
    assert.equal(entry.isLive, false);
    assert.equal(entry.encodedSize, 64 + '{"a":[1]}'.length + 1);
    const value = await entry.value();
    assert.deepStrictEqual(value, { a: [1] });
    assert.equal(entry.isLive, true);
    assert.equal(await entry.value(), value);
    assert.deepStrictEqual(await entry.encode(), frame);
  });

  it("decode() hands out a vector as a view of the frame", async () => {
    const vector = Float32Array.of(1, -0, NaN);
    const entry = CacheEntry.of("v", vector, METADATA, countingFormat().format);
    const frame = await entry.encode();
    const value = CacheEntry.decode("v", frame).value() as Float32Array;
    assert.equal(value.buffer, frame.buffer);
    assert.deepStrictEqual(value, vector);
  });

  it("decode() refuses the frame of another key and names only the one asked for", async () => {
    const frame = await CacheEntry.of("secret", 1, METADATA, countingFormat().format).encode();
    for (const key of ["", "secreu", "secret ", "Secret", "secre", "s\ud800"]) {
      assert.throws(() => CacheEntry.decode(key, frame), (error) => {
        return isCacheError(error, "corrupt") && error.key === key &&
          !error.message.includes("secret");
      });
    }
  });

  it("value() refuses bytes that are not what the frame says", async () => {
    const payload = { rawLength: 1, serializer: 1, codec: 0, dtype: 0, bytes: Uint8Array.of(0x7b) };
    const entry = CacheEntry.decode("k", encodeFrame("k", METADATA, payload));
    await assert.rejects(async () => await entry.value(), (error) => {
      return isCacheError(error, "corrupt") && error.codec === "json" &&
        error.cause instanceof SyntaxError;
    });
  });

  it("value() refuses a frame that claims 4 GiB behind a codec", async () => {
    const payload = { rawLength: 2 ** 32 - 1, serializer: 0, codec: 1, dtype: 1, bytes: ZEROS };
    const entry = CacheEntry.decode("k", encodeFrame("k", METADATA, payload));
    await assert.rejects(
      async () => await entry.value(),
      (error) => isCacheError(error, "decoded-size"),
    );
    const small = CacheEntry.decode("k", encodeFrame("k", METADATA, { ...payload, rawLength: 65 }));
    await assert.rejects(
      async () => await small.value(64),
      (error) => isCacheError(error, "decoded-size"),
    );
  });

  it("withTimes() shares value and bytes and changes nothing else", async () => {
    const { format, encodes } = countingFormat();
    const entry = CacheEntry.of("k", [1], METADATA, format);
    const later = entry.withTimes(8000, 9000);
    assert.equal(later.value(), entry.value());
    const { metadata } = decodeFrame(await later.encode());
    assert.deepStrictEqual(metadata, { ...METADATA, expiresAt: 8000, staleUntil: 9000 });
    assert.equal(decodeFrame(await entry.encode()).metadata.expiresAt, 2000);
    assert.equal(encodes(), 1);
  });

  it("withTimes() of what was read shares what is decoded, whoever asks first", async () => {
    const frame = await CacheEntry.of("k", [1], METADATA, countingFormat().format).encode();
    const entry = CacheEntry.decode("k", frame);
    const later = entry.withTimes(8000, 9000);
    assert.equal(later.isLive, false);
    const value = await entry.value();
    assert.equal(later.isLive, true);
    assert.equal(later.value(), value);
  });

  it("withoutBytes() shares the value only", async () => {
    const { format } = countingFormat();
    const entry = CacheEntry.of("k", [1], METADATA, format);
    const bare = entry.withoutBytes();
    await entry.encode();
    assert.equal(bare.encodedSize, undefined);
    assert.equal(bare.value(), entry.value());
    assert.deepStrictEqual(bare.tags, METADATA.tags);
    assert.deepStrictEqual(await bare.encode(), await entry.encode());
  });
});

const ZEROS = new Uint8Array(16);
