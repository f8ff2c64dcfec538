import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SingleFlight } from "../../src/manager/single_flight.ts";
import { seededRandom } from "../fakes/seeded_random.ts";
import { settle } from "../fakes/settle.ts";

/** A load that ends when told to. */
class HeldLead {
  signal: AbortSignal | undefined;
  outdated = false;
  readonly #end = Promise.withResolvers<string>();

  get hasBegun(): boolean {
    return this.signal !== undefined;
  }

  load(signal: AbortSignal): Promise<string> {
    this.signal = signal;
    return this.#end.promise;
  }

  isOutdated(): boolean {
    return this.outdated;
  }

  async answer(value: string): Promise<void> {
    this.#end.resolve(value);
    await settle();
  }

  async fail(message: string): Promise<void> {
    this.#end.reject(new Error(message));
    await settle();
  }
}

describe("SingleFlight", () => {
  it("all callers of a key get the value of the first one's load", async () => {
    const flights = new SingleFlight<string>();
    const [a, b] = [new HeldLead(), new HeldLead()];
    const both = Promise.all([flights.run("k", a), flights.run("k", b)]);
    assert.ok(a.hasBegun && !b.hasBegun);
    await a.answer("A");
    assert.deepEqual(await both, ["A", "A"]);
    assert.equal(b.hasBegun, false);
  });

  it("callers of different keys do not wait for each other, nor those of one key after its end", async () => {
    const flights = new SingleFlight<string>();
    const leads = [new HeldLead(), new HeldLead(), new HeldLead()];
    const first = flights.run("k", leads[0]!);
    flights.run("other", leads[1]!);
    assert.ok(leads[1]!.hasBegun);
    await leads[0]!.answer("A");
    assert.equal(await first, "A");
    flights.run("k", leads[2]!);
    assert.ok(leads[2]!.hasBegun);
  });

  it("when a leader fails it gets the error, and the next in line leads with its own load", async () => {
    const flights = new SingleFlight<string>();
    const [a, b, c] = [new HeldLead(), new HeldLead(), new HeldLead()];
    const [first, second, third] = [a, b, c].map((lead) => flights.run("k", lead));
    await Promise.all([assert.rejects(first!, { message: "A failed" }), a.fail("A failed")]);
    assert.ok(b.hasBegun && !c.hasBegun);
    await Promise.all([assert.rejects(second!, { message: "B failed" }), b.fail("B failed")]);
    assert.ok(c.hasBegun);
    await c.answer("C");
    assert.equal(await third, "C");
  });

  it("a load that throws where it should reject fails like any other", async () => {
    const flights = new SingleFlight<string>();
    const run = flights.run("k", {
      load: () => {
        throw new Error("thrown");
      },
    });
    await assert.rejects(run, { message: "thrown" });
    assert.equal(await flights.run("k", { load: () => Promise.resolve("next") }), "next");
  });

  it("an aborted follower leaves, the others stay", async () => {
    const flights = new SingleFlight<string>();
    const lead = new HeldLead();
    const controller = new AbortController();
    const first = flights.run("k", lead);
    const second = flights.run("k", new HeldLead(), controller.signal);
    controller.abort(new Error("enough"));
    await assert.rejects(second, { message: "enough" });
    assert.equal(lead.signal?.aborted, false);
    await lead.answer("A");
    assert.equal(await first, "A");
  });

  it("an aborted leader leaves its load to those who still wait", async () => {
    const flights = new SingleFlight<string>();
    const [a, b] = [new HeldLead(), new HeldLead()];
    const controller = new AbortController();
    const first = flights.run("k", a, controller.signal);
    const second = flights.run("k", b);
    controller.abort(new Error("enough"));
    await assert.rejects(first, { message: "enough" });
    assert.equal(a.signal?.aborted, false);
    await a.answer("A");
    assert.equal(await second, "A");
    assert.equal(b.hasBegun, false);
  });

  it("when the load of a leader that left fails, the next in line leads", async () => {
    const flights = new SingleFlight<string>();
    const [a, b] = [new HeldLead(), new HeldLead()];
    const controller = new AbortController();
    const first = flights.run("k", a, controller.signal);
    const second = flights.run("k", b);
    controller.abort();
    await assert.rejects(first);
    await a.fail("A failed");
    assert.ok(b.hasBegun);
    await b.answer("B");
    assert.equal(await second, "B");
  });

  it("when all have left the load is aborted, and who comes before its end waits for that", async () => {
    const flights = new SingleFlight<string>();
    const [a, b] = [new HeldLead(), new HeldLead()];
    const controllers = [new AbortController(), new AbortController()];
    const runs = controllers.map(({ signal }) => flights.run("k", a, signal));
    controllers[0]!.abort();
    assert.equal(a.signal?.aborted, false);
    controllers[1]!.abort(new Error("the last"));
    assert.equal((a.signal?.reason as Error).message, "the last");
    await Promise.allSettled(runs);
    const late = flights.run("k", b);
    await settle();
    assert.equal(b.hasBegun, false);
    await a.fail("aborted");
    assert.ok(b.hasBegun);
    assert.equal(b.signal?.aborted, false);
    await b.answer("B");
    assert.equal(await late, "B");
  });

  it("an abort before the call rejects at once and loads nothing", async () => {
    const flights = new SingleFlight<string>();
    const lead = new HeldLead();
    await assert.rejects(flights.run("k", lead, AbortSignal.abort(new Error("no"))), {
      message: "no",
    });
    assert.equal(lead.hasBegun, false);
  });

  it("who comes when the load is outdated does not get its value, and leads after its end", async () => {
    const flights = new SingleFlight<string>();
    const leads = [new HeldLead(), new HeldLead(), new HeldLead(), new HeldLead()];
    const [before, follower] = [flights.run("k", leads[0]!), flights.run("k", leads[1]!)];
    assert.equal(flights.isOutdated("k"), false);
    leads[0]!.outdated = true;
    assert.equal(flights.isOutdated("k"), true);
    const [after, later] = [flights.run("k", leads[2]!), flights.run("k", leads[3]!)];
    await leads[0]!.answer("old");
    assert.deepEqual(await Promise.all([before, follower]), ["old", "old"]);
    assert.ok(leads[2]!.hasBegun && !leads[3]!.hasBegun);
    await leads[2]!.answer("new");
    assert.deepEqual(await Promise.all([after, later]), ["new", "new"]);
    assert.equal(flights.isOutdated("k"), false);
  });

  it("an outdated load is aborted when all who want its value have left", async () => {
    const flights = new SingleFlight<string>();
    const [a, b] = [new HeldLead(), new HeldLead()];
    const controllers = [new AbortController(), new AbortController()];
    const first = flights.run("k", a, controllers[0]!.signal);
    a.outdated = true;
    const second = flights.run("k", b, controllers[1]!.signal);
    controllers[0]!.abort();
    assert.equal(a.signal?.aborted, true);
    await assert.rejects(first);
    controllers[1]!.abort();
    await assert.rejects(second);
    await a.fail("aborted");
    assert.equal(b.hasBegun, false);
    assert.equal(await flights.run("k", { load: () => Promise.resolve("next") }), "next");
  });

  for (let seed = 1; seed <= 100; seed++) {
    it(`never runs two loads of a key at once, and answers every caller (seed ${seed})`, async () => {
      const random = seededRandom(seed);
      const flights = new SingleFlight<number>();
      const running: { end: PromiseWithResolvers<number>; id: number }[] = [];
      const outcomes: string[] = [];
      const controllers: AbortController[] = [];
      let called = 0;
      let isOutdated = false;
      for (let step = 0; step < 60; step++) {
        const choice = random();
        if (choice < 0.4) {
          const id = called++;
          const controller = new AbortController();
          controllers.push(controller);
          flights.run("k", {
            load: () => {
              assert.equal(running.length, 0, "two loads at once");
              isOutdated = false;
              const end = Promise.withResolvers<number>();
              running.push({ end, id });
              return end.promise;
            },
            isOutdated: () => isOutdated,
          }, controller.signal).then(
            () => outcomes.push("value"),
            () => outcomes.push("error"),
          );
        } else if (choice < 0.6 && controllers.length > 0) {
          controllers[Math.floor(random() * controllers.length)]!.abort();
        } else if (choice < 0.7) {
          isOutdated = true;
        } else {
          const ending = running.pop();
          if (choice < 0.85) ending?.end.resolve(ending.id);
          else ending?.end.reject(new Error("failed"));
        }
        if (random() < 0.5) await settle(5);
      }
      while (outcomes.length < called) {
        running.pop()?.end.resolve(0);
        await settle();
      }
      assert.equal(running.length, 0);
    });
  }
});
