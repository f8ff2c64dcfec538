import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheError } from "../../src/errors.ts";
import { CircuitBreaker } from "../../src/manager/breaker.ts";
import { type BreakerOptions, DEFAULT_BREAKER } from "../../src/manager/breaker_options.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const BROKEN = new CacheError("backend", "broken");
const TIMEOUT = new CacheError("timeout", "no answer");
const CORRUPT = new CacheError("corrupt", "damaged");

class Bench {
  readonly clock = new FakeClock();
  readonly told: unknown[] = [];
  /** When probes were made, in milliseconds since the breaker opened last. */
  readonly probes: number[] = [];
  openedAt = 0;
  answer: () => Promise<unknown> = () => Promise.reject(BROKEN);
  readonly breaker: CircuitBreaker;

  constructor(options: Partial<BreakerOptions> = {}, random = (): number => 1) {
    this.breaker = new CircuitBreaker({
      options: { ...DEFAULT_BREAKER, ...options },
      clock: this.clock,
      random,
      probe: () => {
        this.probes.push(this.clock.now() - this.openedAt);
        return this.answer();
      },
      onOpen: (error) => {
        this.openedAt = this.clock.now();
        this.told.push(error);
      },
      onClose: (downMs) => this.told.push(downMs),
    });
  }

  fail(times: number, error: unknown = BROKEN): void {
    for (let time = 0; time < times; time++) this.breaker.failed(this.breaker.begin(), error);
  }

  succeed(times: number): void {
    for (let time = 0; time < times; time++) this.breaker.answered(this.breaker.begin());
  }
}

describe("CircuitBreaker", () => {
  it("opens when the share of failures is reached, and not before there are enough calls", () => {
    const bench = new Bench();
    bench.succeed(5);
    bench.fail(4);
    assert.equal(bench.breaker.isOpen, false, "9 calls");
    bench.fail(1);
    assert.equal(bench.breaker.isOpen, true, "5 of 10");
    assert.deepEqual(bench.told, [BROKEN]);

    const healthy = new Bench();
    healthy.succeed(60);
    healthy.fail(59);
    assert.equal(healthy.breaker.isOpen, false, "59 of 119");
    healthy.fail(1);
    assert.equal(healthy.breaker.isOpen, true);
  });

  it("forgets what is further back than the window", async () => {
    const bench = new Bench({ window: 10_000 });
    bench.fail(9);
    await bench.clock.advanceAsync(10_000);
    bench.fail(1);
    assert.equal(bench.breaker.isOpen, false);
    await bench.clock.advanceAsync(5000);
    bench.fail(9);
    assert.equal(bench.breaker.isOpen, true);
  });

  it("goes on counting when the clock is put back", () => {
    const bench = new Bench();
    bench.fail(5);
    bench.clock.jumpTo(bench.clock.now() - 3_600_000);
    bench.fail(9);
    assert.equal(bench.breaker.isOpen, false);
    bench.fail(1);
    assert.equal(bench.breaker.isOpen, true);
  });

  it("counts reads that were answered at once", () => {
    const bench = new Bench();
    for (let read = 0; read < 100; read++) bench.breaker.answeredNow();
    bench.fail(50);
    assert.equal(bench.breaker.isOpen, false);
  });

  it("opens after two calls in whose time the tier answered nothing", () => {
    const bench = new Bench();
    bench.fail(1, TIMEOUT);
    assert.equal(bench.breaker.isOpen, false);
    bench.fail(1, TIMEOUT);
    assert.equal(bench.breaker.isOpen, true);
  });

  it("does not open for calls that hang while others are answered", async () => {
    const bench = new Bench();
    for (let time = 0; time < 9; time++) {
      const hung = bench.breaker.begin();
      await bench.clock.advanceAsync(100);
      bench.succeed(2);
      await bench.clock.advanceAsync(4900);
      bench.breaker.failed(hung, TIMEOUT);
    }
    assert.equal(bench.breaker.isOpen, false);
  });

  it("takes bad news of one key for an answer", () => {
    const bench = new Bench();
    bench.fail(100, CORRUPT);
    assert.equal(bench.breaker.isOpen, false);
  });

  it("probes after pauses that double up to the longest, one probe at a time", async () => {
    const bench = new Bench({ minPause: 100, maxPause: 1000 });
    bench.fail(10);
    await bench.clock.advanceAsync(4000);
    assert.deepEqual(bench.probes, [100, 300, 700, 1500, 2500, 3500]);
    const hung = Promise.withResolvers<void>();
    bench.answer = () => hung.promise;
    await bench.clock.advanceAsync(60_000);
    assert.equal(bench.probes.length, 7);
    assert.equal(bench.breaker.isOpen, true);
    hung.resolve();
    await bench.clock.advanceAsync(0);
    assert.equal(bench.breaker.isOpen, false);
    assert.deepEqual(bench.told, [BROKEN, 64_000]);
  });

  it("spreads its probes over the second half of each pause", async () => {
    for (const [random, first] of [[0, 125], [0.5, 188], [0.999, 250]] as const) {
      const bench = new Bench({}, () => random);
      bench.fail(10);
      await bench.clock.advanceAsync(first - 2);
      assert.deepEqual(bench.probes.length, 0);
      await bench.clock.advanceAsync(2);
      assert.deepEqual(bench.probes.length, 1);
    }
  });

  it("closes at the first probe that is answered, be it with bad news, and counts anew", async () => {
    for (const answer of [() => Promise.resolve(), () => Promise.reject(CORRUPT)]) {
      const bench = new Bench();
      bench.fail(10);
      bench.answer = answer;
      await bench.clock.advanceAsync(250);
      assert.equal(bench.breaker.isOpen, false);
      bench.fail(9);
      assert.equal(bench.breaker.isOpen, false);
      bench.fail(1);
      assert.equal(bench.breaker.isOpen, true);
    }
  });

  it("asks a tier that comes and goes ever more seldom, until it has stayed for a window", async () => {
    const bench = new Bench({ minPause: 100, maxPause: 10_000, window: 10_000 });
    bench.answer = () => Promise.resolve();
    for (let time = 0; time < 3; time++) {
      bench.fail(10);
      await bench.clock.advanceAsync(1000);
    }
    assert.deepEqual(bench.probes, [100, 200, 400]);
    await bench.clock.advanceAsync(10_000);
    bench.fail(10);
    await bench.clock.advanceAsync(1000);
    assert.deepEqual(bench.probes.slice(3), [100]);
  });

  it("does not take the end of a call for news when it began before the tier went down", async () => {
    const bench = new Bench();
    const calls = Array.from({ length: 30 }, () => bench.breaker.begin());
    bench.fail(10);
    for (const call of calls.slice(0, 10)) bench.breaker.answered(call);
    assert.equal(bench.breaker.isOpen, true);
    bench.answer = () => Promise.resolve();
    await bench.clock.advanceAsync(250);
    for (const call of calls.slice(10)) bench.breaker.failed(call, TIMEOUT);
    assert.equal(bench.breaker.isOpen, false);
  });

  it("makes no probe after its end", async () => {
    const bench = new Bench();
    bench.fail(10);
    bench.breaker.end();
    await bench.clock.advanceAsync(60_000);
    assert.deepEqual(bench.probes, []);
    assert.equal(bench.clock.pendingTimers, 0);
  });
});
