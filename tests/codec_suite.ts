/**
 * The contract of {@linkcode Codec} as tests. Every codec runs it, yours too:
 * it needs only `node:test` and `fast-check`.
 *
 * @module
 *
 * @example
 * ```ts no-eval
 * import { codecSuite } from "./codec_suite.ts";
 * import { createMyCodec } from "./my_codec.ts";
 *
 * codecSuite("my codec", createMyCodec);
 * ```
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CacheError } from "../src/errors.ts";
import type { Codec } from "../src/types.ts";
import { freshSeed, seededRandom } from "./fakes/seeded_random.ts";
import { assertMemorySettles, assertWithinMemory } from "./process_memory.ts";

/** Makes the codec under test; it is called once for the whole suite. */
export type CodecOpener = () => Codec | Promise<Codec>;

/** Bytes that every general codec shrinks, small enough to damage each byte of what comes out. */
const SAMPLE: Uint8Array = new TextEncoder().encode(
  JSON.stringify(
    Array.from({ length: 24 }, (_, at) => ({ id: at * 7919, title: `Page ${at}`, ok: at % 3 > 0 })),
  ),
);

/**
 * Describes the contract suite for one codec.
 *
 * @param name names the codec in the names of the tests.
 * @param open makes the codec.
 */
export function codecSuite(name: string, open: CodecOpener): void {
  describe(`${name} keeps the contract of codecs`, () => {
    let opened: Codec | Promise<Codec> | undefined;
    const codec = async (): Promise<Codec> => await (opened ??= open());
    describeRoundTrips(codec);
    describeOwnership(codec);
    describeLengths(codec);
    describeDamage(codec);
  });
}

type Opened = () => Promise<Codec>;

function describeRoundTrips(open: Opened): void {
  const seed = freshSeed();
  const random = seededRandom(seed);
  const randomBytes = (length: number): Uint8Array =>
    Uint8Array.from({ length }, () => random() * 256);
  const text = new TextEncoder().encode(
    "Größe, 大きさ, величина; to be or not to be. ".repeat(400),
  );
  const inputs: Readonly<Record<string, Uint8Array>> = {
    "nothing": new Uint8Array(0),
    "one byte": Uint8Array.of(200),
    "text": text,
    "JSON": SAMPLE,
    "100,000 zeros": new Uint8Array(100_000),
    [`random bytes (seed ${seed})`]: randomBytes(10_000),
    "1 MiB of words": repeatTo(text, 2 ** 20),
    [`1 MiB of random bytes (seed ${seed})`]: randomBytes(2 ** 20),
    "a Float32Array": bytesOf(Float32Array.from({ length: 384 }, () => random() - 0.5)),
    "an Int32Array": bytesOf(Int32Array.from({ length: 500 }, (_, at) => at % 100)),
    "a view at an odd offset": new Uint8Array(repeatTo(text, 5000).buffer, 3, 4001),
    "a view of a Float64Array": new Uint8Array(new Float64Array(100).fill(0.1).buffer, 8, 80),
  };
  for (const [what, raw] of Object.entries(inputs)) {
    it(`decode() restores ${what}`, async () => {
      const codec = await open();
      assertSameBytes(await roundTrip(codec, raw), raw);
    });
  }

  for (const near of [15, 16, 63, 64, 255, 256, 511, 512, 1023, 4096, 16_384, 65_535, 131_072]) {
    it(`decode() restores lengths around ${near}`, async () => {
      const codec = await open();
      for (const length of [near - 1, near, near + 1]) {
        for (const raw of [repeatTo(text, length), new Uint8Array(length).fill(7)]) {
          assertSameBytes(await roundTrip(codec, raw), raw);
        }
      }
    });
  }

  it("decode() restores whatever encode() was given", async () => {
    const codec = await open();
    const runs = fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.integer({ max: 50 })), {
      maxLength: 12,
    }).map((parts) =>
      concat(parts.flatMap(([bytes, times]) => Array(Math.max(1, times)).fill(bytes)))
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(runs, fc.uint8Array({ maxLength: 3000 })), async (raw) => {
        assertSameBytes(await roundTrip(codec, raw), raw);
      }),
      { numRuns: 150 },
    );
  });

  it("encode() makes repetitive bytes smaller", async () => {
    const codec = await open();
    const encoded = await codec.encode(text);
    assert.ok(encoded.length < text.length / 4, `${encoded.length} of ${text.length} bytes`);
  });

  it("encode() and decode() keep calls at the same time apart", async () => {
    const codec = await open();
    const raws = Array.from({ length: 20 }, (_, at) => repeatTo(text.subarray(at * 13), 500 * at));
    const restored = await Promise.all(raws.map((raw) => roundTrip(codec, raw)));
    restored.forEach((bytes, at) => assertSameBytes(bytes, raws[at]!));
  });
}

function describeOwnership(open: Opened): void {
  it("encode() does not change its input, nor keep it", async () => {
    const codec = await open();
    const raw = SAMPLE.slice();
    const encoded = await codec.encode(raw);
    assertSameBytes(raw, SAMPLE);
    const before = encoded.slice();
    raw.fill(0);
    assertSameBytes(encoded, before);
  });

  it("encode() may be given other bytes right after the call", async () => {
    const codec = await open();
    const raw = SAMPLE.slice();
    const encoding = codec.encode(raw);
    raw.fill(0);
    assertSameBytes(await codec.decode(await encoding, { length: SAMPLE.length }), SAMPLE);
  });

  it("decode() does not change its input, nor keep it", async () => {
    const codec = await open();
    const encoded = (await codec.encode(SAMPLE)).slice();
    const before = encoded.slice();
    const restored = await codec.decode(encoded, { length: SAMPLE.length });
    assertSameBytes(encoded, before);
    encoded.fill(0);
    assertSameBytes(restored, SAMPLE);
  });

  it("encode() and decode() return plain Uint8Arrays in buffers of their own", async () => {
    const codec = await open();
    for (const length of [0, 1, 30, 700, 5000, 40_000]) {
      const raw = repeatTo(SAMPLE, length);
      const encoded = await codec.encode(raw);
      const restored = await codec.decode(encoded, { length });
      for (const bytes of [encoded, restored]) {
        assert.equal(Object.getPrototypeOf(bytes), Uint8Array.prototype);
        assert.ok(bytes.buffer instanceof ArrayBuffer);
        assert.ok(bytes.buffer.byteLength <= bytes.length + 64, `${bytes.buffer.byteLength} bytes`);
      }
      assert.equal(restored.byteOffset % 8, 0);
      assert.notEqual(restored.buffer, (await codec.decode(encoded, { length })).buffer);
    }
  });

  it("decode() reads from a view at an odd offset", async () => {
    const codec = await open();
    const encoded = await codec.encode(SAMPLE);
    const shifted = new Uint8Array(encoded.length + 12).fill(0xaa);
    shifted.set(encoded, 5);
    const view = shifted.subarray(5, 5 + encoded.length);
    assertSameBytes(await codec.decode(view, { length: SAMPLE.length }), SAMPLE);
  });
}

function describeLengths(open: Opened): void {
  it("decode() refuses a length that is not the right one", async () => {
    const codec = await open();
    for (const raw of [SAMPLE, new Uint8Array(5000), Uint8Array.of(1)]) {
      const encoded = await codec.encode(raw);
      const { length } = raw;
      for (const wrong of [0, length - 1, length + 1, length * 2, length + 2 ** 20, 2 ** 31]) {
        if (wrong !== length) await assertRefused(codec, encoded, wrong);
      }
    }
  });

  it("decode() refuses any length but 0 for encoded nothing", async () => {
    const codec = await open();
    const encoded = await codec.encode(new Uint8Array(0));
    for (const wrong of [1, 8, 1000, 2 ** 31]) await assertRefused(codec, encoded, wrong);
  });

  it("decode() refuses a bomb of 64 MiB without making it", async () => {
    const codec = await open();
    const bomb = await codec.encode(new Uint8Array(64 * 2 ** 20));
    await assertRefused(codec, bomb, 1000);
    await assertWithinMemory(async () => {
      for (const length of [0, 1000, 2 ** 20]) await assertRefused(codec, bomb, length);
    });
  });

  it("decode() undoes one layer only", async () => {
    const codec = await open();
    const inner = await codec.encode(new Uint8Array(100_000));
    const outer = await codec.encode(inner);
    assertSameBytes(await codec.decode(outer, { length: inner.length }), inner);
    await assertRefused(codec, outer, 100_000);
  });
}

function describeDamage(open: Opened): void {
  it("decode() refuses bytes that end early, at every offset", async () => {
    const codec = await open();
    for (const raw of [SAMPLE, new Uint8Array(0)]) {
      const encoded = await codec.encode(raw);
      for (let end = 0; end < encoded.length; end++) {
        await assertRefused(codec, encoded.subarray(0, end), raw.length);
      }
    }
  });

  it("decode() refuses bytes that go on after their end", async () => {
    const codec = await open();
    const encoded = await codec.encode(SAMPLE);
    for (const tail of [[0], [1, 2, 3], Array<number>(40).fill(0), [...encoded]]) {
      await assertRefused(codec, concat([encoded, Uint8Array.from(tail)]), SAMPLE.length);
    }
  });

  it("decode() survives every damaged byte", async () => {
    const codec = await open();
    const encoded = await codec.encode(SAMPLE);
    for (let at = 0; at < encoded.length; at++) {
      for (const flip of [0x01, 0x10, 0x80, 0xff]) {
        const damaged = encoded.slice();
        damaged[at]! ^= flip;
        await assertRefusedOrSized(codec, damaged, SAMPLE.length);
      }
    }
  });

  it("decode() survives garbage", async () => {
    const codec = await open();
    const head = (await codec.encode(SAMPLE)).subarray(0, 12);
    const garbage = fc.uint8Array({ maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(garbage, fc.boolean(), fc.nat(5000), async (bytes, headed, length) => {
        const input = headed ? concat([head, bytes]) : bytes;
        await assertRefusedOrSized(codec, input, headed ? SAMPLE.length : length);
      }),
      { numRuns: 300 },
    );
  });

  it("decode() works after thousands of refusals, without taking more and more memory", async () => {
    const codec = await open();
    const encoded = await codec.encode(SAMPLE);
    await assertMemorySettles(async () => {
      for (let time = 0; time < 2000; time++) {
        const damaged = encoded.slice();
        damaged[time % encoded.length]! ^= 1 + time % 255;
        await assertRefusedOrSized(codec, damaged, SAMPLE.length);
      }
    });
    assertSameBytes(await codec.decode(encoded, { length: SAMPLE.length }), SAMPLE);
  });
}

/** Asserts that bytes are refused, by the right kind of error. */
export async function assertRefused(
  codec: Codec,
  bytes: Uint8Array,
  length: number,
  code?: "corrupt" | "decoded-size",
): Promise<void> {
  const outcome = await attempt(codec, bytes, length);
  assert.ok(
    outcome instanceof CacheError,
    `${bytes.length} bytes were taken for ${length}: expected a CacheError, got ${outcome}`,
  );
  if (code !== undefined) assert.equal(outcome.code, code, outcome.message);
}

async function assertRefusedOrSized(
  codec: Codec,
  bytes: Uint8Array,
  length: number,
): Promise<void> {
  const outcome = await attempt(codec, bytes, length);
  if (!(outcome instanceof CacheError)) assert.equal(outcome.length, length);
}

/** What decoding returns, or the CacheError it throws; any other error fails the test. */
async function attempt(
  codec: Codec,
  bytes: Uint8Array,
  length: number,
): Promise<Uint8Array | CacheError> {
  try {
    return await codec.decode(bytes, { length });
  } catch (error) {
    if (!(error instanceof CacheError)) throw error;
    assert.ok(error.code === "corrupt" || error.code === "decoded-size", error.code);
    assert.equal(error.codec, codec.name);
    return error;
  }
}

async function roundTrip(codec: Codec, raw: Uint8Array): Promise<Uint8Array> {
  return await codec.decode(await codec.encode(raw), { length: raw.length });
}

function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  const differs = actual.findIndex((byte, at) => byte !== expected[at]);
  assert.equal(differs, -1, `byte ${differs} differs`);
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
}

function repeatTo(bytes: Uint8Array, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => bytes[at % bytes.length]!);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
