import { BUILTIN_BACKENDS } from "./builtins.ts";
import { show } from "./config.ts";
import { CacheError } from "./errors.ts";
import { backendFlaw, isBackend } from "./manager/backend_shape.ts";
import { nearestName } from "./nearest_name.ts";
import type { BackendContext, BackendFactory, CacheBackend } from "./types.ts";

const registered = new Map<string, BackendFactory>();

/**
 * The backends that a config can name. The built-in ones are always there, and
 * load when one is first named.
 *
 * @example
 * ```ts
 * import { CacheBackendRegistry, CacheManager } from "@strata/cache";
 * import { MemoryBackend } from "@strata/cache/backends/memory";
 *
 * CacheBackendRegistry.register("small-memory", (_config, context) =>
 *   new MemoryBackend({ maxEntries: 10 }, context));
 *
 * await using cache = await CacheManager.open({ backends: [{ type: "small-memory" }] });
 * await cache.set("key", "value");
 * console.assert(await cache.get("key") === "value");
 *
 * CacheBackendRegistry.unregister("small-memory");
 * ```
 */
export class CacheBackendRegistry {
  /**
   * Makes a type of backend known.
   *
   * @param type the name for configs.
   * @param factory makes one from its config, the tier's own fields left out.
   * @throws {TypeError} when the name is empty or taken, or the factory no function.
   */
  static register(type: string, factory: BackendFactory): void {
    if (typeof type !== "string" || type === "") {
      throw new TypeError("Cannot register backend: 'type' must be a non-empty string");
    }
    if (typeof factory !== "function") {
      throw new TypeError(`Cannot register backend "${type}": factory must be a function`);
    }
    if (this.has(type)) {
      throw new TypeError(`Cannot register backend "${type}": the type is taken`);
    }
    registered.set(type, factory);
  }

  /** Forgets a type that was registered. @returns whether it was known. */
  static unregister(type: string): boolean {
    return registered.delete(type);
  }

  /** Whether a config can name a type. */
  static has(type: string): boolean {
    return registered.has(type) || Object.hasOwn(BUILTIN_BACKENDS, type);
  }

  /** The types that a config can name. */
  static types(): string[] {
    return [...Object.keys(BUILTIN_BACKENDS), ...registered.keys()];
  }

  /**
   * Makes a backend from its config.
   *
   * @param config has the type, and what the backend's factory reads.
   * @throws {TypeError} when the type is not known, its factory gives no backend, or as the factory says.
   * @throws {CacheError} `"unavailable"` when the backend's module cannot be loaded here.
   */
  static async create(
    config: Readonly<Record<string, unknown>>,
    context: BackendContext,
  ): Promise<CacheBackend> {
    const { type } = config;
    if (typeof type !== "string" || !this.has(type)) {
      const hint = typeof type === "string" ? nearestName(type, this.types()) : "";
      throw new TypeError(
        `Cannot open backend: 'type' must be one of ${
          this.types().map((known) => `"${known}"`).join(", ")
        }: current value is ${show(type)}${hint}`,
      );
    }
    const factory = registered.get(type) ?? await loadBuiltin(type);
    const backend: unknown = await factory(config, context);
    const flaw = isBackend(backend) ? backendFlaw(backend) : "it is no object with get and set";
    if (flaw !== undefined) {
      throw new TypeError(
        `Cannot open backend: factory of "${type}" gave no CacheBackend: ${flaw}`,
      );
    }
    return backend as CacheBackend;
  }
}

async function loadBuiltin(type: string): Promise<BackendFactory> {
  try {
    return await BUILTIN_BACKENDS[type]!.load();
  } catch (cause) {
    throw new CacheError(
      "unavailable",
      `Cannot load backend "${type}": it needs a server runtime`,
      {
        backend: type,
        cause,
      },
    );
  }
}
