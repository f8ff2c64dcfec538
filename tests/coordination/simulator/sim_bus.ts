import type {
  Invalidation,
  InvalidationBus,
  InvalidationListener,
} from "../../../src/coordination/invalidation_bus.ts";
import { CacheError } from "../../../src/errors.ts";
import type { SimLink } from "./sim_link.ts";
import type { SimTime } from "./sim_time.ts";

/** Share of messages that come twice. */
const DUPLICATES = 0.1;

/** Share of messages that take much longer than others, in or out of order. */
const STRAGGLERS = 0.1;

/** What carries messages between the machines. */
export class SimBroker {
  readonly subscribers: Set<SimBus> = new Set();
  /** Whether it takes no messages and delivers none. */
  isDown = false;

  /** Passes a message on to all but its sender. */
  pass(sender: SimBus, invalidations: readonly Invalidation[]): void {
    if (this.isDown) throw new CacheError("unavailable", "Cannot publish: the broker is down");
    for (const subscriber of this.subscribers) {
      if (subscriber !== sender) subscriber.deliver(sender, invalidations);
    }
  }
}

/** What a bus is made of. */
export interface SimBusParts {
  readonly time: SimTime;
  readonly random: () => number;
  readonly broker: SimBroker;
  readonly link: SimLink;
  readonly wake: (callback: () => void) => void;
  /** Told of all that is published. */
  readonly told: (invalidation: Invalidation) => void;
}

/**
 * One machine's bus. It keeps the contract and no more: what it says of one
 * key comes in the order of each sender, of different keys in any, now and then
 * twice; what is missed is told as a lost connection, up to a second late.
 */
export class SimBus implements InvalidationBus {
  readonly name = "sim-bus";
  readonly #parts: SimBusParts;
  readonly #listeners = new Set<InvalidationListener>();
  /** When the last word on each thing of each sender comes. */
  readonly #lastWords = new Map<SimBus, Map<string, number>>();
  /** How often the connection has been lost: what was under way then does not come. */
  #era = 0;
  #hasMissed = false;
  #isConnected = false;
  #isClosed = false;

  constructor(parts: SimBusParts) {
    this.#parts = parts;
    this.#watch();
  }

  publish(invalidations: readonly Invalidation[]): Promise<void> {
    const { link, broker, told } = this.#parts;
    invalidations.forEach(told);
    return link.request(() => Promise.resolve(broker.pass(this, invalidations)));
  }

  subscribe(listener: InvalidationListener): () => void {
    this.#listeners.add(listener);
    this.#parts.broker.subscribers.add(this);
    if (this.#isConnected) listener.connected();
    return () => void this.#listeners.delete(listener);
  }

  /** Takes messages of another, each on its own way. */
  deliver(sender: SimBus, invalidations: readonly Invalidation[]): void {
    const { time, random, link, wake } = this.#parts;
    const era = this.#era;
    if (!this.#isConnected) return;
    const words = this.#lastWords.get(sender) ?? new Map<string, number>();
    this.#lastWords.set(sender, words);
    for (const invalidation of invalidations) {
      const id = JSON.stringify([invalidation.kind, subjectOf(invalidation)]);
      const longest = random() < STRAGGLERS ? 300 : link.latency;
      const at = Math.max(words.get(id) ?? 0, time.now + random() * longest);
      words.set(id, at);
      const times = random() < DUPLICATES ? 2 : 1;
      for (let turn = 0; turn < times; turn++) {
        time.schedule(() => {
          if (era !== this.#era) return;
          if (link.isCut) this.#hasMissed = true;
          else wake(() => era === this.#era && this.#tell((to) => to.invalidated([invalidation])));
        }, at - time.now);
      }
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#parts.broker.subscribers.delete(this);
    return Promise.resolve();
  }

  /** Notices, within a second, that nothing gets through, and as soon that it does again. */
  #watch(): void {
    const { time, random, link, broker, wake } = this.#parts;
    time.schedule(() => {
      if (this.#isClosed) return;
      const isWhole = !link.isCut && !broker.isDown && !this.#hasMissed;
      this.#hasMissed = false;
      if (!isWhole && this.#isConnected) {
        this.#isConnected = false;
        this.#era++;
        wake(() => this.#tell((to) => to.disconnected(new CacheError("unavailable", "lost"))));
      } else if (isWhole && !this.#isConnected) {
        this.#isConnected = true;
        wake(() => this.#isConnected && this.#tell((to) => to.connected()));
      }
      this.#watch();
    }, random() * 1000);
  }

  #tell(tell: (to: InvalidationListener) => void): void {
    for (const listener of this.#listeners) tell(listener);
  }
}

function subjectOf(invalidation: Invalidation): string | undefined {
  switch (invalidation.kind) {
    case "key":
      return invalidation.key;
    case "tag":
      return invalidation.tag;
    case "clear":
      return invalidation.pattern;
  }
}
