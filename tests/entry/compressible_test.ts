import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, it } from "node:test";
import * as zlib from "node:zlib";
import { encode as encodeMessagePack } from "@msgpack/msgpack";
import fc from "fast-check";
import { compress as compressLz4 } from "lz4-wasm-nodejs";
import { looksCompressible } from "../../src/entry/compressible.ts";
import { freshSeed, seededRandom } from "../fakes/seeded_random.ts";

const folder = new URL(
  "../../node_modules/@sap-ux/fiori-docs-embeddings/data/embeddings/",
  import.meta.url,
);
const vectors = new Float32Array(
  new Uint8Array(readFileSync(fileURLToPath(new URL("embeddings.bin", folder)))).buffer,
);
const lines = readFileSync(fileURLToPath(new URL("records.jsonl", folder)), "utf8").trim().split(
  "\n",
);
const text = new TextEncoder();

const seed = freshSeed();
const random = seededRandom(seed);

/** Close to a normal distribution: the sum of twelve even ones. */
function gaussian(): number {
  return Array.from({ length: 12 }, random).reduce((sum, value) => sum + value, -6);
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
}

/** All vectors of the package, joined to some of `dimension` elements. */
function realVectors(dimension: number): Uint8Array[] {
  return Array.from(
    { length: Math.floor(vectors.length / dimension) },
    (_, at) => bytesOf(vectors.slice(at * dimension, (at + 1) * dimension)),
  );
}

/** How many of some samples look compressible. */
function countCompressible(samples: readonly Uint8Array[]): number {
  return samples.filter(looksCompressible).length;
}

describe("looksCompressible()", () => {
  for (const dimension of [384, 768, 1536, 3072]) {
    it(`is false for every one of the real vectors of ${dimension} float32`, () => {
      const samples = realVectors(dimension);
      assert.ok(samples.length > 90);
      assert.equal(countCompressible(samples), 0);
    });
  }

  const dense: Readonly<Record<string, () => Uint8Array>> = {
    "1536-d vectors of length 1": () => {
      const vector = Float32Array.from({ length: 1536 }, gaussian);
      const norm = Math.hypot(...vector);
      return bytesOf(vector.map((value) => value / norm));
    },
    "float64 vectors": () =>
      bytesOf(Float64Array.from({ length: 768 }, () => gaussian() * Math.PI)),
    "int8 vectors": () => bytesOf(Int8Array.from({ length: 1536 }, () => gaussian() * 30)),
    "random bytes": () => Uint8Array.from({ length: 4096 }, () => random() * 256),
  };
  for (const [what, make] of Object.entries(dense)) {
    it(`is false for ${what} (seed ${seed})`, () => {
      // One in a hundred may be, and of int8 vectors one in a thousand is: of few, chance makes more.
      const wrong = countCompressible(Array.from({ length: 1000 }, make));
      assert.ok(wrong <= 10, `true for ${wrong} of 1000`);
    });
  }

  it("is false for what gzip, zstd and brotli have packed", () => {
    const pack = (compress: (text: string) => Uint8Array): Uint8Array[] =>
      lines.slice(0, 150).map((line) => new Uint8Array(compress(line)));
    for (
      const packed of [
        pack((line) => zlib.gzipSync(line)),
        pack((line) => zlib.zstdCompressSync(line)),
        pack((line) => zlib.brotliCompressSync(line, BROTLI_FAST)),
      ]
    ) assert.ok(countCompressible(packed) <= 2);
  });

  it("is true for every one of the real documents as JSON, as text and as MessagePack", () => {
    const documents = lines.map((line) => JSON.parse(line) as { readonly content: string });
    const long = documents.filter(({ content }) => content.length > 200);
    const samples = [
      ...lines.map((line) => text.encode(line)),
      ...long.map(({ content }) => text.encode(content)),
      ...documents.map((document) => encodeMessagePack(document)),
    ];
    assert.ok(samples.length > 2000);
    assert.equal(countCompressible(samples), samples.length);
  });

  const sparse: Readonly<Record<string, Uint8Array>> = {
    "zeros": new Uint8Array(1000),
    "small integers as Int32Array": bytesOf(
      Int32Array.from({ length: 400 }, () => random() * 1000),
    ),
    "small integers as Int16Array": bytesOf(Int16Array.from({ length: 900 }, () => random() * 300)),
    "small integers as BigInt64Array": bytesOf(
      BigInt64Array.from({ length: 300 }, (_, at) => BigInt(at * 3)),
    ),
    "whole numbers as Float64Array": bytesOf(
      Float64Array.from({ length: 400 }, () => Math.floor(random() * 1000)),
    ),
    "a Float32Array with many zeros": bytesOf(
      Float32Array.from({ length: 800 }, () => random() < 0.7 ? 0 : random()),
    ),
    "a vector as JSON": text.encode(JSON.stringify([...vectors.subarray(0, 384)])),
    "Chinese": text.encode(Array.from({ length: 500 }, () => cjk()).join("")),
    "Cyrillic": text.encode("Страта хранит то, что дорого вычислить. ".repeat(20)),
    "hexadecimal digits": text.encode(Buffer.from(realVectors(384)[0]!).toString("hex")),
  };
  for (const [what, bytes] of Object.entries(sparse)) {
    it(`is true for ${what} (seed ${seed})`, () => {
      assert.equal(looksCompressible(bytes), true);
    });
  }

  it("is true for base64 of a vector, which zstd shrinks by a fifth and LZ4 does not", () => {
    const bytes = text.encode(Buffer.from(realVectors(384)[0]!).toString("base64"));
    assert.equal(looksCompressible(bytes), true);
    assert.ok(zlib.zstdCompressSync(bytes).length < bytes.length * 0.8);
    assert.ok(compressLz4(bytes).length >= bytes.length);
  });

  it("is false for fewer bytes than the sample has", () => {
    for (const length of [0, 1, 63]) assert.equal(looksCompressible(new Uint8Array(length)), false);
    assert.equal(looksCompressible(new Uint8Array(64)), true);
  });

  it("answers the same each time, whatever it was asked in between", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 9000 }), (bytes) => {
      const first = looksCompressible(bytes);
      looksCompressible(sparse["zeros"]!);
      assert.equal(looksCompressible(bytes.slice()), first);
    }));
  });

  it("looks at the whole of a long value", () => {
    const mixed = new Uint8Array(100_000).map(() => random() * 256);
    mixed.fill(0x20, 40_000);
    assert.equal(looksCompressible(mixed), true);
  });
});

const BROTLI_FAST = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } };

function cjk(): string {
  return String.fromCodePoint(0x4e00 + Math.floor(random() * 3000));
}
