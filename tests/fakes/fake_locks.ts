import type { AcquireOptions, Lock, LockProvider } from "../../src/coordination/lock_provider.ts";
import type { Clock } from "../../src/types.ts";

/** A lock service that many share. */
export class FakeLockService {
  readonly owners: Map<string, { readonly fence: number; until: number }> = new Map();
  /** What it does. */
  health: "up" | "failing" | "hanging" = "up";
  /** What its answers wait for. */
  held: Promise<void> | undefined;
  /** Requests so far. */
  requests = 0;
  fence = 0;
}

/** Locks of a service in this process, whose leases end by a clock. */
export class FakeLocks implements LockProvider {
  readonly name = "fake-locks";
  readonly #service: FakeLockService;
  readonly #clock: Clock;

  constructor(service: FakeLockService, clock: Clock) {
    this.#service = service;
    this.#clock = clock;
  }

  async acquire(name: string, { leaseMs }: AcquireOptions): Promise<Lock | undefined> {
    await this.#answer();
    const { owners } = this.#service;
    const until = (lease: number): number => this.#clock.now() + lease;
    if ((owners.get(name)?.until ?? 0) > this.#clock.now()) return undefined;
    const own = { fence: ++this.#service.fence, until: until(leaseMs) };
    owners.set(name, own);
    const isHeld = (): boolean => owners.get(name) === own && own.until > this.#clock.now();
    return {
      name,
      fence: own.fence,
      renew: async (lease) => {
        await this.#answer();
        if (isHeld()) own.until = until(lease);
        return isHeld();
      },
      release: async () => {
        await this.#answer();
        return isHeld() && owners.delete(name);
      },
    };
  }

  async #answer(): Promise<void> {
    this.#service.requests++;
    const { health, held } = this.#service;
    await held;
    if (health === "failing") throw new Error("the lock service is broken");
    if (health === "hanging") await new Promise(() => {});
  }
}
