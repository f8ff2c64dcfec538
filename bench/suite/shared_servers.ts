import { provideServers, type SharedServers, startShared } from "../../tests/run/servers.ts";

/**
 * Starts the servers that benches need and that are dear to start, once for
 * all of them. Where one cannot be had, it says so; the benches then go on
 * without, and say so too.
 */
export async function startBenchServers(benches: readonly string[]): Promise<SharedServers> {
  try {
    const missing = await provideServers(benches);
    if (missing === undefined) return await startShared(benches);
    console.log(`Some servers cannot be had: ${missing}\n`);
  } catch (error) {
    console.log(`Some servers do not start: ${(error as Error).message}\n`);
  }
  return { stop: () => Promise.resolve() };
}
