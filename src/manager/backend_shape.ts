import type { CacheBackend } from "../types.ts";

const METHODS = ["get", "set", "delete", "exists", "clear", "getStats"] as const;

/** Whether a value is meant to be a backend and not the config of one. */
export function isBackend(value: unknown): value is CacheBackend {
  const backend = value as Partial<CacheBackend> | null;
  return typeof backend === "object" && backend !== null && typeof backend.get === "function" &&
    typeof backend.set === "function";
}

/** What a backend lacks; `undefined` when it has all that it must have. */
export function backendFlaw(backend: CacheBackend): string | undefined {
  if (typeof backend.name !== "string" || backend.name === "") {
    return "'name' must be a non-empty string";
  }
  const missing = METHODS.find((method) => typeof backend[method] !== "function");
  return missing === undefined ? undefined : `it has no method '${missing}'`;
}
