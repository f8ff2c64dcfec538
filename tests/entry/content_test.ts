import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DEFAULT_MAX_DECODED_BYTES,
  EntryContent,
  type WriteFormat,
} from "../../src/entry/content.ts";
import type { Payload } from "../../src/entry/frame.ts";
import { CacheError, isCacheError } from "../../src/errors.ts";
import { registerCodec, registerSerializer } from "../../src/formats.ts";
import { jsonSerializer } from "../../src/serializers/json.ts";
import type { Codec, Serializer } from "../../src/types.ts";

/** Codec of a run of one byte, which counts its calls and can be told to wait or to lie. */
class RunCodec implements Codec {
  readonly name: string;
  readonly id: number;
  encodes = 0;
  decodes = 0;
  gate: Promise<void> | undefined;
  outcome: "right" | "short" | "throws" | "CacheError" = "right";

  constructor(name: string, id: number) {
    this.name = name;
    this.id = id;
  }

  encode(bytes: Uint8Array): Uint8Array | Promise<Uint8Array> {
    this.encodes++;
    const run = Uint8Array.of(bytes[0] as number);
    return this.gate === undefined ? run : this.gate.then(() => run);
  }

  decode(bytes: Uint8Array, { length }: { length: number }): Uint8Array | Promise<Uint8Array> {
    this.decodes++;
    const decode = (): Uint8Array => {
      if (this.outcome === "throws") throw new Error("not a run");
      if (this.outcome === "CacheError") throw new CacheError("decoded-size", "too long");
      return new Uint8Array(this.outcome === "short" ? length - 1 : length).fill(
        bytes[0] as number,
      );
    };
    return this.gate === undefined ? decode() : this.gate.then(decode);
  }
}

class CountingSerializer implements Serializer {
  readonly name = "counting";
  readonly id = 232;
  encodes = 0;
  decodes = 0;
  failures = 0;

  encode(value: unknown): Uint8Array {
    this.encodes++;
    return jsonSerializer.encode(value);
  }

  decode(bytes: Uint8Array): unknown {
    this.decodes++;
    if (this.failures-- > 0) throw new Error("no luck");
    return jsonSerializer.decode(bytes);
  }
}

const runs = new RunCodec("runs", 231);
const counting = new CountingSerializer();
registerCodec(runs);
registerSerializer(counting);

function reset(): void {
  runs.encodes =
    runs.decodes =
    counting.encodes =
    counting.decodes =
    counting.failures =
      0;
  runs.gate = undefined;
  runs.outcome = "right";
}

const PLAIN: WriteFormat = { serializer: counting, codec: undefined, compressionMinBytes: 0 };
const COMPRESSED: WriteFormat = { serializer: counting, codec: runs, compressionMinBytes: 100 };
const ZEROS = new Uint8Array(4096);
const NO_LIMIT = DEFAULT_MAX_DECODED_BYTES;

function compressedPayload(more: Partial<Payload> = {}): Payload {
  const payload = { bytes: Uint8Array.of(7), rawLength: 64, serializer: 0, codec: 231, dtype: 1 };
  return { ...payload, ...more };
}

describe("EntryContent.payload()", () => {
  it("encodes a value once, at once when nothing has to wait", () => {
    reset();
    const content = EntryContent.ofValue({ a: 1 }, PLAIN);
    assert.equal(content.payloadLength, undefined);
    const payload = content.payload();
    assert.ok(!(payload instanceof Promise));
    assert.equal(content.payload(), payload);
    assert.equal(counting.encodes, 1);
    assert.equal(content.payloadLength, 7);
    assert.deepStrictEqual({ ...payload, bytes: new TextDecoder().decode(payload.bytes) }, {
      bytes: '{"a":1}',
      rawLength: 7,
      serializer: 232,
      codec: 0,
      dtype: 0,
    });
  });

  it("encodes once also for those who ask while a codec is at work", async () => {
    reset();
    const { promise, resolve } = Promise.withResolvers<void>();
    runs.gate = promise;
    const content = EntryContent.ofValue(ZEROS, COMPRESSED);
    const asked = [content.payload(), content.payload()];
    assert.equal(content.payloadLength, undefined);
    resolve();
    const [first, second] = await Promise.all(asked);
    assert.equal(first, second);
    assert.equal(await content.payload(), first);
    assert.equal(runs.encodes, 1);
    assert.equal(content.payloadLength, 1);
  });

  it("takes bytes as they are, past the serializer", () => {
    reset();
    const vector = Float32Array.of(1, NaN);
    const payload = EntryContent.ofValue(vector, PLAIN).payload() as Payload;
    assert.equal(counting.encodes, 0);
    assert.deepStrictEqual({ ...payload, bytes: payload.bytes.buffer }, {
      bytes: vector.buffer,
      rawLength: 8,
      serializer: 0,
      codec: 0,
      dtype: 11,
    });
  });

  it("compresses what is worth it", () => {
    reset();
    const payload = EntryContent.ofValue(ZEROS, COMPRESSED).payload() as Payload;
    assert.deepStrictEqual([payload.codec, payload.rawLength, payload.bytes.length], [
      231,
      4096,
      1,
    ]);
  });

  it("asks no codec for fewer bytes than compressionMinBytes", () => {
    reset();
    const stored = EntryContent.ofValue(ZEROS.subarray(0, 99), COMPRESSED).payload() as Payload;
    assert.deepStrictEqual([stored.codec, stored.bytes.length, runs.encodes], [0, 99, 0]);
    const packed = EntryContent.ofValue(ZEROS.subarray(0, 100), COMPRESSED).payload() as Payload;
    assert.deepStrictEqual([packed.codec, runs.encodes], [231, 1]);
  });

  it("stores as it is what does not shrink by a sixteenth", () => {
    const shrinking = (share: number): Codec => ({
      name: "shrinking",
      id: 233,
      encode: (bytes) => bytes.slice(0, Math.round(bytes.length * share)),
      decode: () => assert.fail("never asked"),
    });
    for (const [share, codec] of [[15 / 16, 233], [15 / 16 + 1 / 4096, 0], [1, 0]] as const) {
      const format = { ...PLAIN, codec: shrinking(share) };
      const payload = EntryContent.ofValue(ZEROS, format).payload() as Payload;
      assert.equal(payload.codec, codec, `share ${share}`);
      if (codec === 0) assert.equal(payload.bytes.length, 4096);
    }
  });

  it("asks no codec for noise", () => {
    reset();
    const noise = noiseOf(16_384);
    const payload = EntryContent.ofValue(noise, COMPRESSED).payload() as Payload;
    assert.deepStrictEqual([payload.codec, runs.encodes], [0, 0]);
  });

  it("throws what the serializer throws, each time", () => {
    const content = EntryContent.ofValue({ x: undefined }, PLAIN);
    for (let time = 0; time < 2; time++) {
      assert.throws(() => content.payload(), /undefined at \$\.x/);
    }
    assert.equal(content.payloadLength, undefined);
  });

  it("encodes anew after a codec failed", async () => {
    reset();
    runs.gate = Promise.reject(new Error("out of memory"));
    const content = EntryContent.ofValue(ZEROS, COMPRESSED);
    await assert.rejects(async () => await content.payload(), /out of memory/);
    runs.gate = undefined;
    assert.equal((content.payload() as Payload).codec, 231);
    assert.equal(runs.encodes, 2);
  });
});

describe("EntryContent.value()", () => {
  it("decodes once, at once when nothing has to wait", () => {
    reset();
    const bytes = jsonSerializer.encode([1]);
    const payload = { bytes, rawLength: 3, serializer: 232, codec: 0, dtype: 0 };
    const content = EntryContent.ofPayload(payload);
    assert.equal(content.hasValue, false);
    const value = content.value(NO_LIMIT);
    assert.deepStrictEqual(value, [1]);
    assert.equal(content.value(NO_LIMIT), value);
    assert.equal(content.hasValue, true);
    assert.equal(counting.decodes, 1);
    assert.equal(content.payload(), payload);
  });

  it("decodes once also for those who ask while a codec is at work", async () => {
    reset();
    const { promise, resolve } = Promise.withResolvers<void>();
    runs.gate = promise;
    const content = EntryContent.ofPayload(compressedPayload());
    const asked = [content.value(NO_LIMIT), content.value(NO_LIMIT)];
    resolve();
    const [first, second] = await Promise.all(asked);
    assert.ok(first instanceof Uint8Array && first.length === 64);
    assert.equal(first, second);
    assert.equal(await content.value(NO_LIMIT), first);
    assert.equal(runs.decodes, 1);
  });

  it("decodes anew after a failure, that of a serializer and that of a codec", async () => {
    reset();
    counting.failures = 1;
    const bytes = jsonSerializer.encode("x");
    const payload = { bytes, rawLength: bytes.length, serializer: 232, codec: 0, dtype: 0 };
    const content = EntryContent.ofPayload(payload);
    assert.throws(() => content.value(NO_LIMIT), (error) => isCacheError(error, "corrupt"));
    assert.equal(content.hasValue, false);
    assert.equal(content.value(NO_LIMIT), "x");

    runs.gate = Promise.resolve();
    runs.outcome = "throws";
    const compressed = EntryContent.ofPayload(compressedPayload());
    await assert.rejects(
      async () => await compressed.value(NO_LIMIT),
      (error) => isCacheError(error, "corrupt") && error.codec === "runs",
    );
    runs.outcome = "right";
    assert.equal((await compressed.value(NO_LIMIT) as Uint8Array).length, 64);
  });

  it("refuses what claims to be longer than the limit, before the codec is asked", () => {
    reset();
    for (const rawLength of [65, 2 ** 32 - 1]) {
      const content = EntryContent.ofPayload(compressedPayload({ rawLength }));
      assert.throws(() => content.value(64), (error) => isCacheError(error, "decoded-size"));
    }
    assert.equal(runs.decodes, 0);
    const content = EntryContent.ofPayload(compressedPayload());
    assert.equal((content.value(64) as Uint8Array).length, 64);
  });

  it("sets no limit to what is not compressed: those bytes are there", () => {
    const bytes = new Uint8Array(100);
    const payload = { bytes, rawLength: 100, serializer: 0, codec: 0, dtype: 1 };
    assert.equal((EntryContent.ofPayload(payload).value(1) as Uint8Array).length, 100);
  });

  it("refuses a codec's bytes of another length, and passes its CacheError on", () => {
    reset();
    for (
      const [outcome, code] of [["short", "decoded-size"], ["CacheError", "decoded-size"], [
        "throws",
        "corrupt",
      ]] as const
    ) {
      runs.outcome = outcome;
      const content = EntryContent.ofPayload(compressedPayload());
      assert.throws(() => content.value(NO_LIMIT), (error) => isCacheError(error, code), outcome);
    }
  });

  it("names a codec or serializer that is not known", () => {
    const unknown: readonly [Partial<Payload>, RegExp][] = [
      [{ codec: 99 }, /codec 99 is not known here: register it/],
      [{ codec: 0, serializer: 99 }, /serializer 99 is not known here: register it/],
    ];
    for (const [more, message] of unknown) {
      const content = EntryContent.ofPayload(compressedPayload({ rawLength: 1, ...more }));
      assert.throws(() => content.value(NO_LIMIT), (error) => {
        return isCacheError(error, "unsupported-format") && message.test(error.message);
      });
    }
  });

  it("loads a built-in serializer when it is first met", async () => {
    const bytes = jsonSerializer.encode({ a: [1] });
    const payload = { bytes, rawLength: bytes.length, serializer: 1, codec: 0, dtype: 0 };
    assert.deepStrictEqual(await EntryContent.ofPayload(payload).value(NO_LIMIT), { a: [1] });
  });

  it("gives back a live value as it is", () => {
    reset();
    const value = { a: 1 };
    assert.equal(EntryContent.ofValue(value, PLAIN).value(0), value);
    assert.equal(EntryContent.ofValue(undefined, PLAIN).hasValue, true);
    assert.equal(counting.encodes, 0);
  });
});

describe("EntryContent.withoutBytes()", () => {
  it("shares the value and not the bytes", () => {
    reset();
    const value = { a: 1 };
    const content = EntryContent.ofValue(value, PLAIN);
    content.payload();
    const bare = content.withoutBytes();
    assert.equal(bare.value(NO_LIMIT), value);
    assert.equal(bare.payloadLength, undefined);
    bare.payload();
    assert.equal(counting.encodes, 2);
  });

  it("writes a value that was read as it was written", () => {
    reset();
    const payload = EntryContent.ofValue(ZEROS, COMPRESSED).payload() as Payload;
    const read = EntryContent.ofPayload(payload);
    read.value(NO_LIMIT);
    assert.deepStrictEqual(read.withoutBytes().payload(), payload);
  });
});

/** Bytes of a linear congruential generator (Numerical Recipes), whose top bits no codec shrinks. */
function noiseOf(length: number): Uint8Array<ArrayBuffer> {
  let state = 1;
  return Uint8Array.from({ length }, () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
    return state >>> 24;
  });
}
