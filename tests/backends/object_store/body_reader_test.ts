import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { PassThrough, Readable } from "node:stream";
import { describe, it } from "node:test";
import { NodeBodyReader } from "../../../backends/_object_store/body_reader.ts";

/** Reads to the end. */
async function readAll(reader: NodeBodyReader): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done || value === undefined) return Buffer.concat(pieces);
    assert.equal(value.constructor, Uint8Array, "no Buffer, whose slice() is a view");
    pieces.push(value);
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

describe("NodeBodyReader", () => {
  it("gives the bytes in their order, whether they come before or after they are asked for", async () => {
    const body = new PassThrough();
    const reader = new NodeBodyReader(body);
    const first = reader.read();
    body.write(Buffer.from("one "));
    assert.equal(Buffer.from((await first).value!).toString(), "one ");
    body.write(Buffer.from("two "));
    body.end(Buffer.from("three"));
    await nextTurn();
    assert.equal(Buffer.from(await readAll(reader)).toString(), "two three");
    assert.equal((await reader.read()).done, true, "it stays at its end");
  });

  it("has a body pause that gives more than is read, and go on", async () => {
    const piece = Buffer.alloc(64 * 1024, 7);
    let given = 0;
    const body = new Readable({
      highWaterMark: 1,
      read() {
        given++;
        this.push(given > 100 ? null : piece);
      },
    });
    const reader = new NodeBodyReader(body);
    await nextTurn();
    assert.ok(given <= 1, "nothing flows before it is read");
    let length = (await reader.read()).value!.length;
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    assert.ok(given < 20, `${given} pieces are ahead`);
    length += (await readAll(reader)).length;
    assert.equal(length, 100 * piece.length);
  });

  for (const isAsked of [false, true]) {
    it(`fails when the body does, ${isAsked ? "while" : "before"} it is read`, async () => {
      const body = new PassThrough();
      const reader = new NodeBodyReader(body);
      const reading = isAsked ? reader.read() : undefined;
      body.destroy(new Error("broken"));
      if (!isAsked) await nextTurn();
      await assert.rejects(reading ?? reader.read(), /broken/);
      await assert.rejects(reader.read(), /broken/, "it stays broken");
    });
  }

  it("fails when the body is closed before its end, also before there was a reader", async () => {
    const body = new PassThrough();
    const reader = new NodeBodyReader(body);
    const reading = reader.read();
    body.destroy();
    await assert.rejects(reading, /closed/);
    await assert.rejects(new NodeBodyReader(body).read(), /closed/);
  });

  it("cancel() ends the body and the read that is under way", async () => {
    const body = new PassThrough();
    const reader = new NodeBodyReader(body);
    const reading = reader.read();
    await reader.cancel();
    await assert.rejects(reading, /closed/);
    assert.equal(body.destroyed, true);
  });
});
