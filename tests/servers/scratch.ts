import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder for the files of servers. @returns its path, and what removes it. */
export function scratchFolder(name: string): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), `strata-${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Ports that nobody has at the moment, all different. `below` bounds them. */
export async function freePorts(count: number, below = 65_536): Promise<number[]> {
  const servers = [];
  const ports: number[] = [];
  while (ports.length < count) {
    const server = createServer();
    servers.push(server);
    const port = await new Promise<number>((resolve, reject) => {
      server.once("error", reject);
      const wanted = below === 65_536 ? 0 : 20_000 + Math.floor(Math.random() * (below - 20_000));
      server.listen(
        wanted,
        "127.0.0.1",
        () => resolve((server.address() as { port: number }).port),
      );
    }).catch(() => 0);
    if (port > 0 && port < below) ports.push(port);
  }
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
  );
  return ports;
}
