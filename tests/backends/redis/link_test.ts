import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Attempt, OpenConnection } from "../../../backends/redis/connect.ts";
import { RedisLink } from "../../../backends/redis/redis_link.ts";
import { isCacheError } from "../../../src/errors.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";

const isUnavailable = (error: unknown): boolean => isCacheError(error, "unavailable");

/** Attempts to connect, which a test lets succeed or fail. */
class Door {
  readonly attempts: {
    readonly attempt: Attempt;
    readonly succeed: () => FakeConnection;
    readonly fail: (message: string) => void;
  }[] = [];

  readonly connect = (attempt: Attempt): Promise<OpenConnection> =>
    new Promise((resolve, reject) => {
      this.attempts.push({
        attempt,
        succeed: () => {
          const connection = new FakeConnection();
          resolve(connection);
          return connection;
        },
        fail: (message) => reject(new Error(message)),
      });
    });

  last(): Door["attempts"][number] {
    return this.attempts.at(-1)!;
  }
}

class FakeConnection implements OpenConnection {
  isDestroyed = false;
  isReady = true;
  readonly client = { isReady: true } as never;
  readonly connection = Object.defineProperty({}, "isReady", { get: () => this.isReady }) as never;

  destroy(): void {
    this.isDestroyed = true;
  }
}

function open(random: () => number = () => 0): {
  link: RedisLink;
  door: Door;
  clock: FakeClock;
  told: string[];
} {
  const [door, clock, told] = [new Door(), new FakeClock(), [] as string[]];
  const link = new RedisLink({ backend: "redis", connect: door.connect, clock, random });
  link.observe({
    // deno-lint-ignore require-await -- as the contract has it
    connected: async () => void told.push("connected"),
    lost: (error) => void told.push(error.message),
  });
  return { link, door, clock, told };
}

describe("RedisLink", () => {
  it("connection() opens one connection for all who wait first", async () => {
    const { link, door, told } = open();
    assert.equal(door.attempts.length, 0);
    const waiting = [link.connection(), link.connection()];
    assert.equal(door.attempts.length, 1);
    const opened = door.last().succeed();
    assert.deepStrictEqual(await Promise.all(waiting), [opened.connection, opened.connection]);
    assert.equal(link.connection(), opened.connection);
    assert.deepStrictEqual(told, ["connected"]);
    link.close();
    assert.equal(opened.isDestroyed, true);
  });

  it("connection() fails at once after a failure, and attempts come ever later", async () => {
    for (const [random, factor] of [[0, 0.5], [0.5, 0.75]] as const) {
      const { link, door, clock, told } = open(() => random);
      const first = link.connection();
      door.last().fail("connect ECONNREFUSED");
      await assert.rejects(async () => await first, isUnavailable);
      for (const longest of [50, 100, 200, 400, 800, 1000, 1000]) {
        const { length } = door.attempts;
        const wait = Math.round(longest * factor);
        await assert.rejects(async () => await link.connection(), isUnavailable);
        await clock.advanceAsync(wait - 1);
        assert.equal(door.attempts.length, length);
        await clock.advanceAsync(1);
        assert.equal(door.attempts.length, length + 1);
        await assert.rejects(async () => await link.connection(), isUnavailable);
        door.last().fail("connect ECONNREFUSED");
        await clock.advanceAsync(0);
      }
      await clock.advanceAsync(1000);
      const opened = door.last().succeed();
      await clock.advanceAsync(0);
      assert.equal(link.connection(), opened.connection);
      assert.deepStrictEqual(told, [
        "Cannot connect to Redis: nothing listens at its address",
        "connected",
      ]);
      link.close();
      assert.equal(clock.pendingTimers, 0);
    }
  });

  it("opens one other connection when one is lost, however it is noticed", async () => {
    const { link, door, clock, told } = open();
    let waiting = link.connection();
    const first = door.last().succeed();
    await waiting;
    first.isReady = false;
    await assert.rejects(async () => await link.connection(), isUnavailable);
    assert.equal(first.isDestroyed, true);
    door.attempts[0]?.attempt.onLost(new Error("Socket closed"));
    link.reset();
    await clock.advanceAsync(5000);
    assert.equal(door.attempts.length, 2);
    const second = door.last().succeed();
    await clock.advanceAsync(0);
    waiting = link.connection();
    assert.equal(waiting, second.connection);
    assert.deepStrictEqual(told, [
      "connected",
      "Cannot connect to Redis: the connection is lost",
      "connected",
    ]);
    link.close();
  });

  it("gives up a connection on which nothing came for ten seconds though something was asked", async () => {
    const { link, door, clock } = open();
    const waiting = link.connection();
    const opened = door.last().succeed();
    await waiting;
    link.sent();
    clock.advance(9000);
    link.heard();
    clock.advance(60_000);
    assert.equal(link.connection(), opened.connection, "nothing was asked");
    link.sent();
    clock.advance(5000);
    link.sent();
    clock.advance(5000);
    assert.equal(link.connection(), opened.connection);
    clock.advance(1);
    await assert.rejects(async () => await link.connection(), isUnavailable);
    assert.equal(opened.isDestroyed, true);
    link.close();
  });

  it("close() ends an attempt, and a connection that comes too late", async () => {
    const { link, door, clock } = open();
    const waiting = link.connection();
    const { attempt, succeed } = door.last();
    link.close();
    assert.equal(attempt.signal.aborted, true);
    const late = succeed();
    await assert.rejects(async () => await waiting, isUnavailable);
    assert.equal(late.isDestroyed, true);
    assert.equal(clock.pendingTimers, 0);
    await assert.rejects(
      async () => await link.connection(),
      (error) => isCacheError(error, "closed"),
    );
  });

  it("makes another attempt when an observer refuses a connection", async () => {
    const { link, door, clock } = open();
    let refusals = 1;
    link.observe({
      // deno-lint-ignore require-await -- as the contract has it
      connected: async () => {
        if (refusals-- > 0) throw new Error("no subscription");
      },
      lost: () => {},
    });
    const waiting = link.connection();
    const first = door.last().succeed();
    await assert.rejects(async () => await waiting);
    assert.equal(first.isDestroyed, true);
    await clock.advanceAsync(25);
    const second = door.last().succeed();
    await clock.advanceAsync(0);
    assert.equal(link.connection(), second.connection);
    link.close();
  });

  it("tells an observer that comes while a connection is being made, once", async () => {
    const { link, door, clock } = open();
    let connections = 0;
    let goOn = (): void => {};
    link.observe({ connected: () => new Promise((resolve) => goOn = resolve), lost: () => {} });
    const waiting = link.connection();
    door.last().succeed();
    await clock.advanceAsync(0);
    link.observe({
      // deno-lint-ignore require-await -- as the contract has it
      connected: async () => void connections++,
      lost: () => {},
    });
    goOn();
    await waiting;
    assert.equal(connections, 1);
    link.close();
  });

  it("makes another attempt when a connection is lost before anybody used it", async () => {
    const { link, door, clock } = open();
    let goOn = (): void => {};
    link.observe({ connected: () => new Promise((resolve) => goOn = resolve), lost: () => {} });
    const waiting = link.connection();
    const { attempt, succeed } = door.last();
    const first = succeed();
    await clock.advanceAsync(0);
    attempt.onLost(new Error("Socket closed"));
    goOn();
    await assert.rejects(async () => await waiting, isUnavailable);
    assert.equal(first.isDestroyed, true);
    await clock.advanceAsync(25);
    assert.equal(door.attempts.length, 2);
    link.close();
  });
});
