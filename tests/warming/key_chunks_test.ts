import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyChunks } from "../../src/warming/key_chunks.ts";
import { freshSeed, seededRandom } from "../fakes/seeded_random.ts";

const ODD = [
  "",
  "a",
  "\0",
  "0123456789",
  "0123456789a",
  "\xff",
  "\u0100",
  "\ud800",
  "a\ud83d\ude00b",
];

describe("KeyChunks", () => {
  it("gives back every key, and takes no other for it", () => {
    const chunks = new KeyChunks(100);
    const places = ODD.map((key) => chunks.add(key));
    ODD.forEach((key, at) => {
      assert.equal(chunks.read(places[at]!), key);
      for (const other of ODD) assert.equal(chunks.equals(places[at]!, other), other === key);
    });
    // The bytes of one key as two bytes a character are those of another.
    assert.equal(chunks.equals(chunks.add("\u0201"), "\x01\x02"), false);
  });

  const seed = freshSeed();
  it(`uses what was freed, and counts as it foretells (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const chunks = new KeyChunks(2000);
    const held = new Map<string, number>();
    let used = 0;
    for (let step = 0; step < 20_000; step++) {
      const character = random() < 0.1 ? "\u0416" : "x";
      const key = `${Math.floor(random() * 300)}${character.repeat(Math.floor(random() * 60))}`;
      const place = held.get(key);
      if (place !== undefined) {
        assert.equal(chunks.read(place), key);
        chunks.remove(place);
        held.delete(key);
        used -= KeyChunks.needed(key);
      } else if (used + KeyChunks.needed(key) <= chunks.capacity) {
        held.set(key, chunks.add(key));
        used += KeyChunks.needed(key);
      }
      assert.equal(chunks.used, used);
    }
    for (const [key, place] of held) assert.ok(chunks.equals(place, key));
  });

  it("takes no key that is too long", () => {
    assert.equal(KeyChunks.needed("k".repeat(5000)), Infinity);
    assert.equal(KeyChunks.needed("\u0416".repeat(2049)), Infinity);
    assert.equal(KeyChunks.needed("0123456789"), 1);
    assert.equal(KeyChunks.needed("0123456789a"), 2);
  });
});
