import type { CacheError } from "../../src/errors.ts";
import type {
  Invalidation,
  InvalidationListener,
} from "../../src/coordination/invalidation_bus.ts";
import { eventually } from "../servers/eventually.ts";

/** Keeps what a bus tells. */
export class Recorder implements InvalidationListener {
  readonly heard: Invalidation[] = [];
  readonly losses: CacheError[] = [];
  connections = 0;

  invalidated(invalidations: readonly Invalidation[]): void {
    this.heard.push(...invalidations);
  }

  connected(): void {
    this.connections++;
  }

  disconnected(error: CacheError): void {
    this.losses.push(error);
  }

  /** Waits for the n-th connection. */
  async connection(count: number): Promise<void> {
    await eventually(`connection ${count}`, () => this.connections >= count);
  }

  /** Waits until an invalidation of a key has come. */
  async key(key: string): Promise<void> {
    await eventually(
      `invalidation of ${key}`,
      () => this.heard.some((heard) => heard.kind === "key" && heard.key === key),
    );
  }
}
