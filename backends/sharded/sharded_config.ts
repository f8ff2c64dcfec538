import { ConfigReader, show } from "../../src/config.ts";
import { backendFlaw, isBackend } from "../../src/manager/backend_shape.ts";
import { CacheBackendRegistry } from "../../src/registry.ts";
import type { BackendContext, CacheBackend } from "../../src/types.ts";
import type { Shard } from "./shard.ts";

/** What a shard may have beside the fields of its backend. */
export interface ShardOptions {
  /**
   * Names the shard: keys go by it, so that it must stay what it is, and be
   * the same in all programs. @default the name of its backend
   */
  readonly id?: string;
  /** Its share of the keys, in proportion to the others' weights. @default 1 */
  readonly weight?: number;
}

/** A shard by the type of its backend; the other fields are the backend's own. It is closed with the shards. */
export interface ShardBackendConfig extends ShardOptions {
  /** A built-in type or one known to the registry. */
  readonly type: string;
  /** A field of the backend's own. */
  readonly [field: string]: unknown;
}

/** A shard by a backend that is there already. It stays its owner's to close. */
export interface ReadyShardConfig extends ShardOptions {
  /** The backend. */
  readonly backend: CacheBackend;
}

/** Config of a sharded backend. */
export interface ShardedConfig {
  /** `"sharded"`, for the registry. */
  readonly type?: "sharded";
  /** Names the tier in statistics, events and errors. @default "sharded" */
  readonly name?: string;
  /** The shards, in any order. A backend that is given as it is stays its owner's to close. */
  readonly shards: readonly (ShardBackendConfig | ReadyShardConfig | CacheBackend)[];
  /**
   * How long an operation waits for one shard, which then counts as failed:
   * seconds, or a string such as `"2s"`. Shorter than the tier's own deadline,
   * or a shard that hangs costs the keys of all. One that answers nothing
   * within it twice in a row fails at once until it answers a probe.
   *
   * @default 2
   */
  readonly shardDeadline?: number | string;
}

/** A config that has been checked, its shards opened. */
export interface ShardedSettings {
  /** Names the tier. */
  readonly name: string;
  /** The shards. */
  readonly shards: readonly Shard[];
  /** Milliseconds that an operation waits for one shard. */
  readonly shardDeadline: number;
}

const SUBJECT = "Cannot open sharded backend";
const FIELDS = ["type", "name", "shards", "shardDeadline"];
const DEFAULT_SHARD_DEADLINE_MS = 2000;

/** A shard that has been checked, its backend perhaps not yet opened. */
interface PlannedShard {
  readonly id: string | undefined;
  readonly weight: number;
  readonly source: CacheBackend | Readonly<Record<string, unknown>>;
}

/**
 * Checks a config and opens its shards. When one of them cannot be, those that
 * were opened are closed again.
 *
 * @throws {TypeError} when a field is unknown, missing or of a wrong type, or two shards have one name.
 * @throws {RangeError} when a number is out of range.
 */
export async function openShards(
  config: Readonly<Record<string, unknown>>,
  context: BackendContext,
): Promise<ShardedSettings> {
  const reader = new ConfigReader(SUBJECT, config, FIELDS);
  const name = reader.string("name") ?? "sharded";
  const shardDeadline = reader.duration("shardDeadline") ?? DEFAULT_SHARD_DEADLINE_MS;
  const listed = reader.raw("shards");
  if (!Array.isArray(listed) || listed.length === 0) {
    throw new TypeError(
      `${SUBJECT}: 'shards' must be an array of at least one shard: current value is ${
        show(listed)
      }`,
    );
  }
  const planned = listed.map(planShard);
  const shards: Shard[] = [];
  try {
    for (const { id, weight, source } of planned) {
      const isOwn = !isBackend(source);
      const backend = isOwn ? await CacheBackendRegistry.create(source, context) : source;
      shards.push({ id: id ?? backend.name, weight, backend, isOwn });
    }
    assertDistinct(shards);
  } catch (error) {
    const own = shards.filter(({ isOwn }) => isOwn);
    await Promise.allSettled(own.map(async ({ backend }) => await backend.close?.()));
    throw error;
  }
  return { name, shards, shardDeadline };
}

function planShard(listed: unknown, at: number): PlannedShard {
  const subject = `${SUBJECT}: shards[${at}]`;
  if (isBackend(listed)) return { id: undefined, weight: 1, source: whole(subject, listed) };
  if (typeof listed !== "object" || listed === null) {
    throw new TypeError(
      `${subject} must be a config object or a CacheBackend: current value is ${show(listed)}`,
    );
  }
  const { id, weight = 1, ...source } = listed as Readonly<Record<string, unknown>>;
  if (typeof weight !== "number") {
    throw new TypeError(`${subject}: 'weight' must be a number: current value is ${show(weight)}`);
  }
  if (!(weight > 0) || weight === Infinity) {
    throw new RangeError(
      `${subject}: 'weight' must be positive and finite: current value is ${weight}`,
    );
  }
  const own = { id: new ConfigReader(subject, { id }, ["id"]).string("id"), weight };
  if (source["backend"] === undefined) return { ...own, source };
  new ConfigReader(subject, source, ["backend"]);
  if (!isBackend(source["backend"])) {
    throw new TypeError(
      `${subject}: 'backend' must be a CacheBackend: current value is ${show(source["backend"])}`,
    );
  }
  return { ...own, source: whole(subject, source["backend"]) };
}

function whole(subject: string, backend: CacheBackend): CacheBackend {
  const flaw = backendFlaw(backend);
  if (flaw !== undefined) throw new TypeError(`${subject} is no CacheBackend: ${flaw}`);
  return backend;
}

function assertDistinct(shards: readonly Shard[]): void {
  const ids = shards.map(({ id }) => id);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) {
    throw new TypeError(
      `${SUBJECT}: two shards are named "${twice}": give one of them another 'id'`,
    );
  }
}
