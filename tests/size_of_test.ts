import fc from "fast-check";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sizeOf } from "../src/size_of.ts";

function assertBetween(value: unknown, low: number, high: number): void {
  const bytes = sizeOf(value);
  assert.ok(bytes >= low && bytes <= high, `${bytes} is not from ${low} to ${high}`);
}

describe("sizeOf()", () => {
  it("counts characters, two bytes each when one of them needs it", () => {
    assertBetween("", 16, 40);
    assertBetween("x".repeat(1000), 1000, 1048);
    assertBetween("ÿ".repeat(1000), 1000, 1048);
    assertBetween("x".repeat(999) + "日", 2000, 2048);
    assertBetween("\ud800".repeat(10), 20, 60);
  });

  it("counts primitives", () => {
    for (const value of [undefined, null, true, 0, -5, 2 ** 30]) assert.equal(sizeOf(value), 0);
    for (const value of [0.5, NaN, 2 ** 40, -0]) assertBetween(value, 0, 24);
    assertBetween(10n, 16, 40);
    assertBetween(2n ** 80_000n, 10_000, 10_100);
    assertBetween(() => 1, 60, 130);
    assert.equal(sizeOf(Symbol("s")), 0);
  });

  it("counts the whole buffer behind a view", () => {
    assertBetween(new Float32Array(1536), 6144, 6144 + 320);
    assertBetween(new Uint8Array(new ArrayBuffer(100_000), 10, 20), 100_000, 100_320);
    assertBetween(new DataView(new ArrayBuffer(1000)), 1000, 1320);
    assertBetween(new ArrayBuffer(1000), 1000, 1200);
    assertBetween([new Uint8Array(new ArrayBuffer(100_000), 10, 20)], 100_000, 100_500);
    assertBetween(new SharedArrayBuffer(1000), 1000, 1200);
  });

  it("counts once what is referred to twice", () => {
    const text = { text: "x".repeat(10_000) };
    const buffer = new ArrayBuffer(10_000);
    assert.ok(sizeOf([text, text]) < 11_000);
    assert.ok(sizeOf({ a: new Uint8Array(buffer), b: new Uint16Array(buffer) }) < 11_000);
    assert.ok(sizeOf([{ text: "x".repeat(10_000) }, { text: "x".repeat(10_000) }]) > 20_000);
  });

  it("ends for a value with circles", () => {
    const node: Record<string, unknown> = { name: "node" };
    node["self"] = node;
    node["list"] = [node, new Map([[node, new Set([node])]])];
    assertBetween(node, 200, 2000);
  });

  it("ends for a value nested 200,000 deep", () => {
    let deep: unknown = null;
    for (let level = 0; level < 200_000; level++) deep = level % 2 === 0 ? [deep] : { deep };
    assert.ok(sizeOf(deep) > 200_000 * 40);
  });

  it("counts members of maps and sets, keys too", () => {
    const long = "x".repeat(5000);
    assert.ok(sizeOf(new Map([[long, 1]])) > 5000);
    assert.ok(sizeOf(new Map([[1, long]])) > 5000);
    assert.ok(sizeOf(new Set([long])) > 5000);
    assertBetween(new Map(), 32, 500);
    assertBetween(new Set(Array.from({ length: 1000 }, (_, at) => at)), 20_000, 60_000);
  });

  it("counts dates, patterns and instances of classes", () => {
    class Point {
      x = 1.5;
      label = "x".repeat(1000);
    }
    assertBetween(new Date(), 40, 200);
    assertBetween(/abc/, 60, 500);
    assertBetween(new Point(), 1000, 1200);
    assertBetween(Object.create(null), 40, 120);
  });

  it("counts numbers among themselves without boxes, among others with them", () => {
    const numbers = Array.from({ length: 10_000 }, (_, at) => at + 0.5);
    assertBetween(numbers, 80_000, 100_000);
    assertBetween([...numbers, "x"], 240_000, 260_000);
    assertBetween(new Array(10_000), 80_000, 100_000);
  });

  it("does not walk the holes of a sparse array", () => {
    const sparse: unknown[] = [];
    sparse[4_000_000_000] = "x".repeat(1000);
    assertBetween(sparse, 1000, 2000);
  });

  it("counts names where they are likely the object's own", () => {
    const long = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`document ${at}`, 1]));
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => ["n".repeat(at), 1]));
    assert.ok(sizeOf(long) > 20 * 100);
    assert.ok(sizeOf(many) > 100 * 100);
    assert.ok(sizeOf({ name: 1, city: 2, title: 3 }) < 120);
  });

  it("is no less than the text of a value's leaves, and grows with what is added", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 2 }), (value, more) => {
        const bytes = sizeOf(value);
        assert.ok(Number.isFinite(bytes) && bytes >= leafCharacters(value));
        assert.ok(sizeOf([value]) > bytes);
        assert.ok(sizeOf([value, more]) >= sizeOf([value]));
      }),
    );
  });
});

function leafCharacters(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce((sum: number, member) => sum + leafCharacters(member), 0);
}
