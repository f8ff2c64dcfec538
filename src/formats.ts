/**
 * Codecs and serializers by name and by their number in frames.
 *
 * @module
 */

import { BUILTIN_CODECS, BUILTIN_SERIALIZERS, type NumberedBuiltin } from "./builtins.ts";
import { show } from "./config.ts";
import { CacheError } from "./errors.ts";
import { nearestName } from "./nearest_name.ts";
import type { Codec, Serializer } from "./types.ts";

interface Numbered {
  readonly name: string;
  readonly id: number;
}

/** The first id that is not Strata's own. */
const FIRST_FREE_ID = 128;

/** What codecs and serializers both have. */
const METHODS = ["encode", "decode"] as const;

class FormatRegistry<T extends Codec | Serializer> {
  readonly #kind: string;
  readonly #loaded = new Map<number, T>();
  readonly #loading = new Map<number, Promise<T>>();
  readonly #builtins: Readonly<Record<string, NumberedBuiltin<T>>>;

  constructor(kind: string, builtins: Readonly<Record<string, NumberedBuiltin<T>>>) {
    this.#kind = kind;
    this.#builtins = builtins;
  }

  register(format: T): void {
    if (typeof format !== "object" || format === null) {
      throw new TypeError(
        `Cannot register ${this.#kind}: it must be an object: current value is ${show(format)}`,
      );
    }
    const { name, id } = format;
    if (typeof name !== "string" || name === "") {
      throw new TypeError(
        `Cannot register ${this.#kind}: 'name' must be a non-empty string: current value is ${
          show(name)
        }`,
      );
    }
    const missing = METHODS.find((method) => typeof format[method] !== "function");
    if (missing !== undefined) {
      throw new TypeError(`Cannot register ${this.#kind} "${name}": it has no method '${missing}'`);
    }
    if (!Number.isInteger(id) || id < FIRST_FREE_ID || id > 255) {
      throw new RangeError(
        `Cannot register ${this.#kind} "${name}": 'id' must be an integer from ${FIRST_FREE_ID} to 255: current value is ${
          show(id)
        }`,
      );
    }
    const holder = this.#loaded.get(id) ?? this.#named(name);
    if (holder !== undefined && holder !== format) {
      throw new TypeError(
        `Cannot register ${this.#kind} "${name}" with id ${id}: "${holder.name}" has that name or id already`,
      );
    }
    this.#loaded.set(id, format);
  }

  byId(id: number): T | Promise<T> | undefined {
    const loaded = this.#loaded.get(id);
    if (loaded !== undefined) return loaded;
    const builtin = Object.values(this.#builtins).find((candidate) => candidate.id === id);
    return builtin === undefined ? undefined : this.#load(builtin);
  }

  async byName(name: string): Promise<T> {
    if (Object.hasOwn(this.#builtins, name)) {
      const builtin = this.#builtins[name] as NumberedBuiltin<T>;
      return this.#loaded.get(builtin.id) ?? await this.#load(builtin);
    }
    const registered = this.#named(name);
    if (registered !== undefined) return registered as T;
    throw new TypeError(
      `Cannot find ${this.#kind} "${name}": known are ${this.names().join(", ")}${
        nearestName(name, this.names())
      }`,
    );
  }

  names(): string[] {
    const own = [...this.#loaded.values()].map((format) => format.name);
    return [...new Set([...Object.keys(this.#builtins), ...own])];
  }

  #named(name: string): Numbered | undefined {
    if (Object.hasOwn(this.#builtins, name)) return { name, id: this.#builtins[name]!.id };
    return [...this.#loaded.values()].find((format) => format.name === name);
  }

  #load(builtin: NumberedBuiltin<T>): Promise<T> {
    let loading = this.#loading.get(builtin.id);
    if (loading === undefined) {
      loading = builtin.load().then((format) => {
        this.#loaded.set(builtin.id, format);
        return format;
      }, (cause) => {
        this.#loading.delete(builtin.id);
        throw new CacheError("unavailable", `Cannot load ${this.#kind} with id ${builtin.id}`, {
          cause,
        });
      });
      this.#loading.set(builtin.id, loading);
    }
    return loading;
  }
}

const codecs = new FormatRegistry<Codec>("codec", BUILTIN_CODECS);
const serializers = new FormatRegistry<Serializer>("serializer", BUILTIN_SERIALIZERS);

/**
 * Makes a codec known, by its name to configs and by its id to frames.
 *
 * @param codec with an id from 128 to 255 that is not taken.
 * @throws {RangeError} when the id is out of range.
 * @throws {TypeError} when another codec has its name or id, or it lacks a field or method.
 */
export function registerCodec(codec: Codec): void {
  codecs.register(codec);
}

/**
 * Makes a serializer known, by its name to configs and by its id to frames.
 *
 * @param serializer with an id from 128 to 255 that is not taken.
 * @throws {RangeError} when the id is out of range.
 * @throws {TypeError} when another serializer has its name or id, or it lacks a field or method.
 */
export function registerSerializer(serializer: Serializer): void {
  serializers.register(serializer);
}

/** The codec that a frame names, `undefined` when it is not known here. */
export function codecById(id: number): Codec | Promise<Codec> | undefined {
  return codecs.byId(id);
}

/** The serializer that a frame names, `undefined` when it is not known here. */
export function serializerById(id: number): Serializer | Promise<Serializer> | undefined {
  return serializers.byId(id);
}

/** The codec that a config names. @throws {TypeError} when there is none of that name. */
export function codecByName(name: string): Promise<Codec> {
  return codecs.byName(name);
}

/** The serializer that a config names. @throws {TypeError} when there is none of that name. */
export function serializerByName(name: string): Promise<Serializer> {
  return serializers.byName(name);
}

/** The names that a config may give as codec. */
export function codecNames(): string[] {
  return codecs.names();
}

/** The names that a config may give as serializer. */
export function serializerNames(): string[] {
  return serializers.names();
}
