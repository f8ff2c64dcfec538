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

  it("a write's ticket is valid until the next write, and tells of one before it", () => {
    const fences = new Fences();
    const first = fences.openWrite("a");
    assert.ok(first.isValid && first.isClean);
    const second = fences.openWrite("a");
    assert.equal(first.isValid, false);
    assert.ok(second.isValid && !second.isClean);
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
