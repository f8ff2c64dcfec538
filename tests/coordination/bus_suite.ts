import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Invalidation, InvalidationBus } from "../../src/coordination/invalidation_bus.ts";
import { isCacheError } from "../../src/errors.ts";
import { AWKWARD_KEYS } from "../backend_suite/keys.ts";
import { Recorder } from "./recorder.ts";

/** Makes buses that hear one another, and others do not. */
export type BusOpener = () => () => InvalidationBus;

/** Describes the contract of buses. */
export function busSuite(name: string, open: BusOpener): void {
  describe(`${name} keeps the contract of buses`, () => {
    const withBuses = async (
      body: (sender: InvalidationBus, receiver: InvalidationBus, heard: Recorder) => Promise<void>,
    ): Promise<void> => {
      const make = open();
      const [sender, receiver] = [make(), make()];
      const recorder = new Recorder();
      try {
        receiver.subscribe(recorder);
        await recorder.connection(1);
        await body(sender, receiver, recorder);
      } finally {
        await Promise.all([sender.close(), receiver.close()]);
      }
    };

    it("brings keys, tags and patterns to others, with their versions and in order", () =>
      withBuses(async (sender, _receiver, recorder) => {
        const sent: Invalidation[] = [
          ...AWKWARD_KEYS.map((key, at): Invalidation => ({ kind: "key", key, version: at })),
          { kind: "tag", tag: "a,b\n\ud800", version: 2 ** 50 + 1 },
          { kind: "clear", pattern: "user:*", version: 1.5 },
          { kind: "clear", pattern: undefined, version: undefined },
          { kind: "key", key: "last", version: undefined },
        ];
        for (const invalidation of sent.slice(0, 5)) await sender.publish([invalidation]);
        await sender.publish(sent.slice(5));
        await recorder.key("last");
        assert.deepStrictEqual(recorder.heard, sent);
      }));

    it("does not bring a sender its own messages", () =>
      withBuses(async (sender, receiver, recorder) => {
        await receiver.publish([{ kind: "key", key: "own", version: 1 }]);
        await sender.publish([{ kind: "key", key: "other", version: 1 }]);
        await recorder.key("other");
        assert.deepStrictEqual(recorder.heard, [{ kind: "key", key: "other", version: 1 }]);
      }));

    it("brings 5,000 keys of one call, and a key that is too long as a clear", () =>
      withBuses(async (sender, _receiver, recorder) => {
        const keys = Array.from({ length: 5000 }, (_, at) => `${at}:`.padEnd(100, "é"));
        await sender.publish([
          ...keys.map((key): Invalidation => ({ kind: "key", key, version: 1 })),
          { kind: "key", key: "x".repeat(300_000), version: 1 },
          { kind: "key", key: "last", version: 1 },
        ]);
        await recorder.key("last");
        assert.deepStrictEqual(
          recorder.heard.map((heard) => heard.kind === "key" ? heard.key : heard),
          [...keys, { kind: "clear", pattern: undefined, version: undefined }, "last"],
        );
      }));

    it("subscribe() tells a later listener that messages arrive, and no listener that has left", () =>
      withBuses(async (sender, receiver, recorder) => {
        const [early, late] = [new Recorder(), new Recorder()];
        const leave = receiver.subscribe(early);
        receiver.subscribe(late);
        assert.equal(late.connections, 1);
        leave();
        leave();
        await sender.publish([{ kind: "key", key: "key", version: 1 }]);
        await recorder.key("key");
        await late.key("key");
        assert.deepStrictEqual(early.heard, []);
      }));

    it("close() may be called twice, and ends everything", () =>
      withBuses(async (sender, receiver, recorder) => {
        await Promise.all([receiver.close(), receiver.close()]);
        await assert.rejects(
          receiver.publish([{ kind: "key", key: "key", version: 1 }]),
          (error) => isCacheError(error, "closed"),
        );
        assert.throws(() => receiver.subscribe(recorder), (error) => isCacheError(error, "closed"));
        await sender.publish([{ kind: "key", key: "key", version: 1 }]);
        assert.deepStrictEqual(recorder.heard, []);
        assert.deepStrictEqual(recorder.losses, []);
      }));

    it("publish() rejects with the reason of a signal that is aborted already", () =>
      withBuses(async (sender) => {
        const reason = new Error("no");
        await assert.rejects(
          sender.publish([{ kind: "tag", tag: "t", version: 1 }], {
            signal: AbortSignal.abort(reason),
          }),
          (error) => error === reason,
        );
      }));
  });
}
