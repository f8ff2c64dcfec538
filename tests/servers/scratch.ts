import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Below the ports that systems hand out by themselves, so that no passing connection takes one. */
const FIRST_PORT = 10_000;
const PORTS = 10_000;

/** A folder for the files of servers. @returns its path, and what removes it. */
export function scratchFolder(name: string): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `strata-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A port that nobody has at the moment, and neither the one so many above it. */
export async function freePort(above = 0): Promise<number> {
  while (true) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if (await isFree(port) && await isFree(port + above)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
