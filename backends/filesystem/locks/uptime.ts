import * as fs from "node:fs";

/**
 * Milliseconds since the machine was started, the same for all its processes,
 * whatever its clocks are set to; `undefined` where that cannot be told.
 */
export function readUptime(): number | undefined {
  try {
    const seconds = Number(fs.readFileSync("/proc/uptime", "utf8").split(" ")[0]);
    return seconds > 0 ? Math.round(seconds * 1000) : undefined;
  } catch {
    return undefined;
  }
}
