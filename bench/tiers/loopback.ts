import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LoopbackAddress, LoopbackName } from "./loopback_child.ts";

/** A server of tests/servers in a process of its own, so that it does not take the time of whom it serves. */
export interface Loopback extends LoopbackAddress {
  stop(): Promise<void>;
}

/** Starts one; `port` is what is behind it, if something is. It ends with this process at the latest. */
export async function startLoopback(name: LoopbackName, port = 0): Promise<Loopback> {
  const script = fileURLToPath(new URL("loopback_child.ts", import.meta.url));
  const flags = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  // The child ends when its standard input does.
  const child = spawn(process.execPath, [...flags, script, name, String(port)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  for await (const line of createInterface(child.stdout)) {
    const stop = async (): Promise<void> => {
      child.stdin.end();
      await ended;
    };
    return { ...JSON.parse(line) as LoopbackAddress, stop };
  }
  throw new Error(`The loopback server "${name}" does not start`);
}
