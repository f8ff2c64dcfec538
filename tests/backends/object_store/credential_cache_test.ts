import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CredentialCache } from "../../../backends/_object_store/credential_cache.ts";
import { StoreError } from "../../../backends/_object_store/store_error.ts";
import { cachedCredential } from "../../../backends/azure/azure_credential.ts";
import { FakeClock } from "../../fakes/fake_clock.ts";
import { settle } from "../../fakes/settle.ts";

interface Credential {
  readonly name: string;
  readonly end?: number;
}

/** A cache, and the calls that it makes: each is answered by the test. */
function setUp() {
  const clock = new FakeClock();
  const calls: (PromiseWithResolvers<Credential> & { signal: AbortSignal })[] = [];
  const cache = new CredentialCache<Credential>({
    ask: (signal) => {
      const call = { ...Promise.withResolvers<Credential>(), signal };
      calls.push(call);
      return call.promise;
    },
    endOf: ({ end }) => end,
    clock,
  });
  const nameOf = async (): Promise<string> => (await cache.get()).name;
  return { clock, calls, cache, nameOf };
}

const isTimeout = (error: unknown): boolean =>
  error instanceof StoreError && error.kind === "network" &&
  error.detail === "credentials.timeout";

describe("CredentialCache", () => {
  it("asks once for all who wait, and keeps what has no end", async () => {
    const { clock, calls, nameOf } = setUp();
    const waiting = [nameOf(), nameOf(), nameOf()];
    assert.equal(calls.length, 1);
    calls[0]?.resolve({ name: "first" });
    assert.deepStrictEqual(await Promise.all(waiting), ["first", "first", "first"]);
    clock.advance(1e12);
    assert.equal(await nameOf(), "first");
    assert.equal(calls.length, 1);
    assert.equal(clock.pendingTimers, 0);
  });

  it("gives up a call that does not answer, and asks anew", async () => {
    const { clock, calls, nameOf } = setUp();
    const waiting = [nameOf(), nameOf()];
    clock.advance(9_999);
    assert.equal(calls[0]?.signal.aborted, false);
    clock.advance(1);
    for (const outcome of await Promise.allSettled(waiting)) {
      assert.ok(outcome.status === "rejected" && isTimeout(outcome.reason));
    }
    assert.equal(calls[0]?.signal.aborted, true);
    const next = nameOf();
    calls[1]?.resolve({ name: "second" });
    assert.equal(await next, "second");
    calls[0]?.resolve({ name: "late" });
    await settle();
    assert.equal(await nameOf(), "second", "what comes late counts for nothing");
  });

  it("replaces one ahead of its end, while nobody waits", async () => {
    const { clock, calls, nameOf } = setUp();
    const first = nameOf();
    calls[0]?.resolve({ name: "first", end: clock.now() + 3_600_000 });
    await first;
    clock.advance(3_600_000 - 121_000);
    assert.equal(await nameOf(), "first");
    assert.equal(calls.length, 1);
    clock.advance(1_000);
    assert.deepStrictEqual([await nameOf(), await nameOf()], ["first", "first"]);
    assert.equal(calls.length, 2);
    calls[1]?.resolve({ name: "second", end: clock.now() + 3_600_000 });
    await settle();
    assert.equal(await nameOf(), "second");
  });

  it("uses one that is good when another cannot be had, and tries again every ten seconds", async () => {
    const { clock, calls, nameOf } = setUp();
    const first = nameOf();
    calls[0]?.resolve({ name: "first", end: clock.now() + 60_000 });
    await first;
    assert.equal(await nameOf(), "first");
    calls[1]?.reject(new StoreError("server"));
    await settle();
    for (let second = 1; second < 50; second++) {
      clock.advance(1_000);
      assert.equal(await nameOf(), "first");
      calls.at(-1)?.reject(new StoreError("server"));
      await settle();
    }
    assert.equal(calls.length, 1 + 5);
    clock.advance(1_000);
    const ended = nameOf();
    calls.at(-1)?.reject(new StoreError("server"));
    await assert.rejects(ended, /server/, "one about to end is not used");
    const replaced = nameOf();
    calls.at(-1)?.resolve({ name: "second" });
    assert.equal(await replaced, "second");
  });

  it("forgets one that is refused, and keeps the one that came after it", async () => {
    const { calls, cache, nameOf } = setUp();
    const asked = cache.get();
    calls[0]?.resolve({ name: "first" });
    const first = await asked;
    cache.refuse(first);
    const next = nameOf();
    calls[1]?.resolve({ name: "second" });
    await next;
    cache.refuse(first);
    assert.equal(await nameOf(), "second");
  });
});

describe("a cached credential of Azure", () => {
  it("gives up a call that does not answer, and asks anew", async () => {
    const clock = new FakeClock();
    const signals: AbortSignal[] = [];
    const credential = cachedCredential({
      getToken: (_scopes, options) => {
        const { abortSignal } = options as { abortSignal: AbortSignal };
        if (signals.push(abortSignal) === 1) return new Promise(() => {});
        return Promise.resolve({ token: "token", expiresOnTimestamp: clock.now() + 3_600_000 });
      },
    }, clock);
    const hung = credential.getToken("scope");
    clock.advance(10_000);
    await assert.rejects(hung, isTimeout);
    assert.equal(signals[0]?.aborted, true);
    for (let use = 0; use < 3; use++) {
      assert.equal((await credential.getToken("scope"))?.token, "token");
    }
    assert.equal(signals.length, 2);
  });

  it("asks anew for another tenant, and when the store makes claims", async () => {
    const asked: unknown[] = [];
    const credential = cachedCredential({
      getToken: (scopes, options) => {
        const { tenantId, claims } = options as Record<string, unknown>;
        asked.push([scopes, tenantId, claims]);
        return Promise.resolve({ token: `${asked.length}`, expiresOnTimestamp: 1e15 });
      },
    }, new FakeClock());
    const tokenFor = async (options: unknown): Promise<string | undefined> =>
      (await credential.getToken(["scope"], options))?.token;
    assert.equal(await tokenFor({}), "1");
    assert.equal(await tokenFor({ tenantId: "tenant" }), "2");
    assert.equal(await tokenFor({ tenantId: "tenant" }), "2");
    assert.equal(await tokenFor({ tenantId: "tenant", claims: "more" }), "3");
    assert.deepStrictEqual(asked[2], [["scope"], "tenant", "more"]);
  });

  it("says that there is no token", async () => {
    const credential = cachedCredential({ getToken: () => Promise.resolve(null) }, new FakeClock());
    await assert.rejects(
      credential.getToken("scope"),
      (error) => error instanceof StoreError && error.kind === "credentials",
    );
  });
});
