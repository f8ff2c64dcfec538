import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem, type as systemName } from "node:os";
import type { Method } from "./figure.ts";

/** Packages whose own speed the benches show. */
const MEASURED = [
  "@aws-sdk/client-s3",
  "@azure/storage-blob",
  "@hpcc-js/wasm-zstd",
  "@msgpack/msgpack",
  "@upstash/redis",
  "aws4fetch",
  "bentocache",
  "cacache",
  "cache-manager",
  "cacheable",
  "keyv",
  "layered-loader",
  "lmdb",
  "lru-cache",
  "lz4-wasm-nodejs",
  "ocache",
  "redis",
  "unstorage",
] as const;

/** Describes the machine and what runs on it. */
export function describeMethod(
  runtimes: Readonly<Record<string, string>>,
  isQuick: boolean,
): Method {
  const load = loadavg()[0] ?? 0;
  return {
    date: new Date().toISOString(),
    machine: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: systemName(),
    runtimes,
    packages: installedVersions(),
    isQuick,
    isPartial: true,
    load: [load, load],
  };
}

/** The method, once all that could be run has been. */
export function finishMethod(method: Method, isPartial: boolean): Method {
  return { ...method, isPartial, load: [method.load[0], loadavg()[0] ?? 0] };
}

function installedVersions(): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const name of MEASURED) {
    try {
      const file = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
      versions[name] = (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
    } catch {
      // Not in this checkout: nothing measures it.
    }
  }
  return versions;
}
