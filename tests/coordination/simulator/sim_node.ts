import { CacheManager } from "../../../src/manager/cache_manager.ts";
import { FlakyBackend } from "../../fakes/flaky_backend.ts";
import { SteppedBackend } from "../../fakes/stepped_backend.ts";
import { SyncBackend } from "../../fakes/sync_backend.ts";
import { type SimBroker, SimBus } from "./sim_bus.ts";
import type { SimHistory } from "./sim_history.ts";
import { SimLink } from "./sim_link.ts";
import { SimBackend, type SimServer } from "./sim_server.ts";
import { type SimTime, SkewedClock } from "./sim_time.ts";

/** Milliseconds that an operation of the shared tier may take. */
const DEADLINE_MS = 1000;

/** What all machines of a world share. */
export interface SimWorld {
  readonly time: SimTime;
  readonly random: () => number;
  readonly server: SimServer;
  readonly broker: SimBroker;
  readonly history: SimHistory;
  /** Milliseconds. */
  readonly recoveryPeriod: number;
}

/** One machine: a whole cache over memory, now and then a disk of its own, and the server. */
export class SimNode {
  readonly cache: CacheManager;
  readonly clock: SkewedClock;
  readonly store: SimLink;
  readonly bus: SimLink;
  readonly disk: FlakyBackend | undefined;
  readonly #gate: FrozenGate;

  private constructor(
    parts: Pick<SimNode, "cache" | "clock" | "store" | "bus" | "disk">,
    gate: FrozenGate,
  ) {
    this.cache = parts.cache;
    this.clock = parts.clock;
    this.store = parts.store;
    this.bus = parts.bus;
    this.disk = parts.disk;
    this.#gate = gate;
  }

  /** Starts a machine. */
  static async start(world: SimWorld, skew: number, hasDisk: boolean): Promise<SimNode> {
    const { time, random, server, broker, history, recoveryPeriod } = world;
    const gate = new FrozenGate();
    const { wake } = gate;
    const clock = new SkewedClock(time, skew, wake);
    const links = { time, random, wake };
    const [store, busLink] = [new SimLink(links), new SimLink(links)];
    const bus = new SimBus({ time, random, broker, link: busLink, wake, told: history.told });
    const disk = hasDisk ? diskOf(clock, random) : undefined;
    const cache = await CacheManager.open({
      backends: [
        new SyncBackend(clock, "memory"),
        ...(disk === undefined ? [] : [disk]),
        {
          backend: new SimBackend(server, store, history, () => bus),
          deadline: DEADLINE_MS / 1000,
        },
      ],
      clock,
      random,
      coordination: { recoveryPeriod: recoveryPeriod / 1000 },
    });
    return new SimNode({ cache, clock, store, bus: busLink, disk }, gate);
  }

  /** Stops the machine in its tracks, or lets it go on. */
  set isFrozen(isFrozen: boolean) {
    this.#gate.set(isFrozen);
  }
}

/** What a machine is about to do waits here while it is frozen. */
class FrozenGate {
  #waiting: (() => void)[] | undefined;

  readonly wake = (callback: () => void): void => {
    if (this.#waiting === undefined) callback();
    else this.#waiting.push(callback);
  };

  set(isFrozen: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = isFrozen ? waiting ?? [] : undefined;
    if (!isFrozen) waiting?.forEach((callback) => callback());
  }
}

function diskOf(clock: SkewedClock, random: () => number): FlakyBackend {
  const disk = new SteppedBackend("disk", { clock });
  disk.isFlowing = true;
  return new FlakyBackend(disk, random);
}
