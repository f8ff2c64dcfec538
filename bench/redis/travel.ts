import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Another process that hears what changes in a cache. */
export interface Listener {
  /** Resolves with the next thing that it hears. */
  heard(): Promise<unknown>;
  stop(): Promise<void>;
}

/** Starts one; it listens when this resolves. */
export async function startListener(url: string, prefix: string): Promise<Listener> {
  const script = fileURLToPath(new URL("listener.ts", import.meta.url));
  const flags = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const child = spawn(process.execPath, [...flags, script, url, prefix], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const lines = createInterface(child.stdout);
  await once(lines, "line");
  return {
    heard: () => once(lines, "line"),
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
