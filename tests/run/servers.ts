import { readFileSync } from "node:fs";
import process from "node:process";
import { runCommand } from "./spawn.ts";

/** What a test file imports when it needs a server. */
const STARTER = /from "(?:\.\.?\/)+servers\/redis_server\.ts"/;

/** The packages of Debian that bring the servers and the certificates of tests. */
const PACKAGES = ["redis-server", "openssl"] as const;

/** Whether a test file starts a server of its own. */
export function needsServer(file: string): boolean {
  return STARTER.test(readFileSync(file, "utf8"));
}

/**
 * Has the system bring the servers that are missing.
 *
 * @returns why they are not there, `undefined` when they are.
 */
export async function provideServers(): Promise<string | undefined> {
  if (await hasAll()) return undefined;
  if (process.getuid?.() !== 0) {
    return `${PACKAGES.join(" and ")} are missing, and only root can install them`;
  }
  // The package would start a service of its own; the tests start theirs.
  const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  for (
    const command of [
      ["apt-get", "update", "-qq"],
      ["apt-get", "install", "-y", "-qq", "--no-install-recommends", ...PACKAGES],
    ] as [string, ...string[]][]
  ) {
    const { code, trouble, output } = await runCommand(command, { env });
    if (code !== 0) {
      return `${command.join(" ")} ${trouble ?? `ended with ${code}`}\n${output.trim()}`;
    }
  }
  return await hasAll() ? undefined : `${PACKAGES.join(" and ")} do not run here`;
}

async function hasAll(): Promise<boolean> {
  const [redis, openssl] = await Promise.all([
    runCommand(["redis-server", "--version"]),
    runCommand(["openssl", "version"]),
  ]);
  return redis.code === 0 && openssl.code === 0;
}
