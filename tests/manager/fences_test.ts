import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fences } from "../../src/manager/fences.ts";

describe("Fences", () => {
  it("a ticket is valid until its key is written, and only its key", () => {
    const fences = new Fences();
    const ticket = fences.open("a");
    const other = fences.open("b");
    assert.ok(ticket.isValid && ticket.isUndisturbed);
    fences.openWrite("a").close();
    assert.equal(ticket.isValid, false);
    assert.equal(ticket.isUndisturbed, false);
    assert.ok(other.isValid && other.isUndisturbed);
  });

  it("a ticket that is issued while a write is under way is valid but never undisturbed", () => {
    const fences = new Fences();
    const write = fences.openWrite("a");
    const ticket = fences.open("a");
    assert.equal(ticket.isValid, true);
    assert.equal(ticket.isUndisturbed, false);
    write.close();
    assert.equal(ticket.isUndisturbed, false);
    assert.equal(fences.open("a").isUndisturbed, true);
  });

  it("hand() lets a write through unless a later one has been handed to the tiers", () => {
    const fences = new Fences();
    const [first, second, third] = [1, 2, 3].map(() => fences.openWrite("a"));
    assert.equal(first!.hand(), true, "later ones have begun, but none was handed on");
    assert.equal(third!.hand(), true);
    assert.equal(second!.hand(), false);
    assert.equal(fences.openWrite("a").hand(), true);
  });

  it("hand() keeps a write back that a clear has passed", () => {
    const fences = new Fences();
    const [inside, outside] = [fences.openWrite("a"), fences.openWrite("b")];
    const end = fences.openClear((key) => key === "a");
    const after = fences.openWrite("a");
    end();
    assert.equal(inside.hand(), false);
    assert.equal(outside.hand(), true);
    assert.equal(after.hand(), true);
  });

  it("hand() lets a write through that is newer than each clear that has passed it", () => {
    const fences = new Fences();
    const all = (): boolean => true;
    const [newer, equal, older] = [1, 2, 3].map(() => fences.openWrite("a"));
    fences.openClear(all, 10)();
    const between = fences.openWrite("a");
    fences.openClear(all, 5)();
    const after = fences.openWrite("a");
    assert.equal(older!.hand(7), false, "a later clear is older than the first");
    assert.equal(equal!.hand(10), false);
    assert.equal(newer!.hand(11), true);
    assert.equal(between.hand(5), false);
    assert.equal(after.hand(1), true, "no clear has passed it, whatever its version");
  });

  it("openClear() makes tickets invalid, however old the clear", () => {
    const fences = new Fences();
    const ticket = fences.open("a");
    fences.openClear(() => true, 1)();
    assert.equal(ticket.isValid, false);
  });

  it("renew() makes a ticket valid again, until the next write", () => {
    const fences = new Fences();
    const ticket = fences.open("a");
    fences.openWrite("a").close();
    ticket.renew();
    assert.equal(ticket.isValid, true);
    fences.openWrite("a").close();
    assert.equal(ticket.isValid, false);
  });

  it("a clear cuts what matches, and disturbs tickets issued until it ends", () => {
    const fences = new Fences();
    const before = fences.open("a1");
    const apart = fences.open("b1");
    const endFirst = fences.openClear((key) => key.startsWith("a"));
    const endSecond = fences.openClear((key) => key.startsWith("a"));
    const during = fences.open("a2");
    assert.equal(before.isValid, false);
    assert.equal(apart.isUndisturbed, true);
    assert.equal(during.isValid, true);
    assert.equal(during.isUndisturbed, false);
    endFirst();
    assert.equal(fences.open("a3").isUndisturbed, false, "the second clear is still under way");
    endSecond();
    assert.equal(fences.open("a4").isUndisturbed, true);
    assert.equal(fences.open("b2").isUndisturbed, true);
  });

  it("a ticket that was given back leaves the others of its key as they are", () => {
    const fences = new Fences();
    const stays = fences.open("a");
    fences.open("a").close();
    const write = fences.openWrite("a");
    assert.equal(stays.isValid, false);
    write.close();
    stays.close();
    const fresh = fences.open("a");
    assert.ok(fresh.isValid && fresh.isUndisturbed);
  });
});
