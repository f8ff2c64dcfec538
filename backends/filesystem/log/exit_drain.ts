import process from "node:process";

/** Deno has no `"exit"` after an error that nobody catches; listening to this one changes nothing for others. */
const ENDS = ["exit", "uncaughtExceptionMonitor"] as const;

const drains = new Set<() => void>();

/**
 * Calls a function when the process exits: by `process.exit()`, by an error
 * that nobody catches, or at its natural end. A signal ends it without.
 *
 * @param drain has to do all that it does at once; may be called more than once.
 * @returns a function that calls it off.
 */
export function drainAtExit(drain: () => void): () => void {
  if (drains.size === 0) {
    for (const end of ENDS) process.on(end, drainAll);
  }
  drains.add(drain);
  return () => {
    drains.delete(drain);
    if (drains.size > 0) return;
    for (const end of ENDS) process.off(end, drainAll);
  };
}

/** One listener for all: the runtimes warn of a leak at eleven. */
function drainAll(): void {
  for (const drain of drains) drain();
}
