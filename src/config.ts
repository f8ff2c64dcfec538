/*
 * Checks of config objects: each field has the exact message that says what is
 * wrong, what was given and what would be right.
 */

import { nearestName } from "./nearest_name.ts";

/** A config as it comes from outside. */
export type RawConfig = Readonly<Record<string, unknown>>;

const BYTES_PER_MIB = 1024 * 1024;

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1024,
  mb: BYTES_PER_MIB,
  gb: 1024 * BYTES_PER_MIB,
  tb: 1024 * 1024 * BYTES_PER_MIB,
};

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** The fields that the manager reads from the config of any backend. */
export const TIER_FIELDS = ["maxTtl", "maxEntryBytes", "deadline", "breaker"] as const;

/** The longest duration that leaves a date which JavaScript can hold, about 285,000 years. */
const MAX_DURATION_MS = 8.64e15;

/**
 * Reads one config object field by field. `subject` begins every message, as
 * in `Cannot open memory backend`.
 *
 * @example
 * ```ts
 * import { ConfigReader } from "./config.ts";
 *
 * const reader = new ConfigReader("Cannot open memory backend", { maxEntries: 10 }, ["maxEntries"]);
 * console.assert(reader.integer("maxEntries", { min: 1 }) === 10);
 * ```
 */
export class ConfigReader {
  readonly #subject: string;
  readonly #config: RawConfig;

  /** @throws {TypeError} when the config is no object or has a field that is not known. */
  constructor(subject: string, config: unknown, known: readonly string[]) {
    this.#subject = subject;
    if (typeof config !== "object" || config === null || Array.isArray(config)) {
      throw new TypeError(`${subject}: config must be an object: current value is ${show(config)}`);
    }
    this.#config = config as RawConfig;
    for (const field of Object.keys(config)) {
      if (!known.includes(field)) {
        throw new TypeError(
          `${subject}: '${field}' is not known${nearestName(field, [...known, ...TIER_FIELDS])}`,
        );
      }
    }
  }

  /** A field as it is. */
  raw(field: string): unknown {
    return this.#config[field];
  }

  /** A string that is not empty. */
  string(field: string): string | undefined {
    const value = this.#config[field];
    if (value === undefined) return undefined;
    if (typeof value !== "string" || value === "") this.#fail(field, "must be a non-empty string");
    return value;
  }

  /** One of some words. */
  oneOf<T extends string>(field: string, words: readonly T[]): T | undefined {
    const value = this.#config[field];
    if (value === undefined) return undefined;
    const found = words.find((word) => word === value);
    if (found === undefined) {
      const hint = typeof value === "string" ? nearestName(value, words) : "";
      this.#fail(field, `must be one of ${words.map((word) => `"${word}"`).join(", ")}`, hint);
    }
    return found;
  }

  /** True or false. */
  boolean(field: string): boolean | undefined {
    const value = this.#config[field];
    if (value === undefined) return undefined;
    if (typeof value !== "boolean") this.#fail(field, "must be true or false");
    return value;
  }

  /** A whole number in a range. */
  integer(
    field: string,
    { min, max = Number.MAX_SAFE_INTEGER }: { min: number; max?: number },
  ): number | undefined {
    const value = this.#config[field];
    if (value === undefined) return undefined;
    if (typeof value !== "number") this.#fail(field, "must be an integer");
    if (!Number.isInteger(value) || value < min || value > max) {
      this.#failRange(
        field,
        max === Number.MAX_SAFE_INTEGER
          ? `must be an integer of at least ${min}`
          : `must be an integer from ${min} to ${max}`,
      );
    }
    return value;
  }

  /** A size in bytes: a number of them, or a string with a unit such as `"64MB"`. */
  bytes(field: string): number | undefined {
    const value = this.#config[field];
    if (value === undefined) return undefined;
    if (typeof value === "number") {
      if (!(value >= 1)) this.#failRange(field, "must be a positive number of bytes");
      return Math.floor(value);
    }
    const bytes = typeof value === "string" ? parseAmount(value, SIZE_UNITS) : undefined;
    if (bytes === undefined) {
      this.#fail(field, 'must be a number of bytes or a string such as "64MB"');
    }
    if (!(bytes >= 1)) this.#failRange(field, "must be at least 1 byte");
    return Math.floor(bytes);
  }

  /** The limit that `maxSizeMb` (MiB) or `maxBytes` sets, in bytes; both at once is an error. */
  maxBytes(): number | undefined {
    const mebibytes = this.#config["maxSizeMb"];
    const bytes = this.bytes("maxBytes");
    if (mebibytes === undefined) return bytes;
    if (bytes !== undefined) {
      throw new TypeError(
        `${this.#subject}: 'maxSizeMb' and 'maxBytes' exclude each other: give one of them`,
      );
    }
    if (typeof mebibytes !== "number") this.#fail("maxSizeMb", "must be a positive number");
    if (!(mebibytes * BYTES_PER_MIB >= 1)) {
      this.#failRange("maxSizeMb", "must be a positive number");
    }
    return Math.floor(mebibytes * BYTES_PER_MIB);
  }

  /** A duration in milliseconds: a number of seconds, or a string with a unit such as `"15m"`. */
  duration(field: string): number | undefined {
    const value = this.#config[field];
    return value === undefined ? undefined : parseDuration(value, `${this.#subject}: '${field}'`);
  }

  /** A function. */
  function<T>(field: string): T | undefined {
    const value = this.#config[field];
    if (value === undefined) return undefined;
    if (typeof value !== "function") this.#fail(field, "must be a function");
    return value as T;
  }

  #fail(field: string, demand: string, hint = ""): never {
    throw new TypeError(
      `${this.#subject}: '${field}' ${demand}: current value is ${
        show(this.#config[field])
      }${hint}`,
    );
  }

  #failRange(field: string, demand: string): never {
    throw new RangeError(
      `${this.#subject}: '${field}' ${demand}: current value is ${show(this.#config[field])}`,
    );
  }
}

/**
 * Reads a duration: a number of seconds, or a string such as `"250ms"`, `"15m"` or `"7d"`.
 *
 * @param subject begins the message of an error, as in `Cannot set: 'ttl'`.
 * @returns milliseconds; `Infinity` for `Infinity`.
 * @throws {TypeError} when it is neither a number nor such a string.
 * @throws {RangeError} when it is negative, zero, not a number or too long for a date.
 */
export function parseDuration(value: unknown, subject: string): number {
  const milliseconds = typeof value === "number"
    ? value * 1000
    : typeof value === "string"
    ? parseAmount(value, DURATION_UNITS)
    : undefined;
  if (milliseconds === undefined) {
    throw new TypeError(
      `${subject} must be a number of seconds or a string such as "15m": current value is ${
        show(value)
      }`,
    );
  }
  if (milliseconds === Infinity) return Infinity;
  if (!(milliseconds > 0) || milliseconds > MAX_DURATION_MS) {
    throw new RangeError(
      `${subject} must be positive and at most ${
        MAX_DURATION_MS / 1000
      } seconds: current value is ${show(value)}`,
    );
  }
  return milliseconds;
}

/** How a value looks in an error message: never longer than a line, and only the kind of what is not plain. */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "symbol") return "a symbol";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  return Object.is(value, -0) ? "-0" : String(value);
}

function parseAmount(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text);
  if (match === null) return undefined;
  const unit = match[2]!.toLowerCase();
  return Object.hasOwn(units, unit) ? Number(match[1]) * units[unit]! : undefined;
}
