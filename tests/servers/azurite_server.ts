import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { runCommand } from "../run/spawn.ts";
import { freePort, scratchFolder } from "./scratch.ts";

/**
 * The emulator of Azure Storage by its vendor. It brings 400 packages, so npx
 * keeps it in its own folder, as it does the runtimes.
 */
const PACKAGE = "azurite@3.37.0";

const START_LIMIT_MS = 120_000;

/** Where a test run says that it has started one for all its files. */
export const AZURE_VARIABLE = "STRATA_TEST_AZURE";

/** The account that every Azurite has, with the key that its documentation publishes. */
export const AZURITE_ACCOUNT = {
  name: "devstoreaccount1",
  key: "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
} as const;

/** An Azurite that runs. */
export interface AzuriteServer {
  /** Where the account is. */
  readonly url: string;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

/**
 * Finds the program, and has npm bring it where it is missing.
 *
 * @throws when npm cannot bring it.
 */
export async function findAzurite(): Promise<string> {
  const script =
    "console.log(require('fs').realpathSync(process.env.PATH.split(':').map((folder) => folder + '/azurite-blob').find(require('fs').existsSync)))";
  const found = await runCommand(["npx", "-y", "--package", PACKAGE, "-c", `node -e "${script}"`]);
  const path = found.stdout.trim().split("\n").at(-1) ?? "";
  if (found.code !== 0 || !existsSync(path)) {
    throw new Error(`Cannot find azurite: npx -y ${PACKAGE}\n${found.output.trim()}`);
  }
  return path;
}

/** Starts it, with everything in memory. It ends with this process at the latest. */
export async function startAzurite(): Promise<AzuriteServer> {
  const program = await findAzurite();
  const port = await freePort();
  const { path, remove } = scratchFolder("azurite");
  const args = [
    ...["--blobHost", "127.0.0.1", "--blobPort", String(port)],
    ...["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"],
  ];
  const child = spawn("node", [program, ...args], { cwd: path, stdio: "ignore" });
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.unref();
  const stop = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      if (!running.has(child)) return resolve();
      child.ref();
      child.once("exit", () => resolve());
      child.kill("SIGKILL");
    });
    remove();
  };
  const origin = `http://127.0.0.1:${port}`;
  const limit = Date.now() + START_LIMIT_MS;
  while (true) {
    try {
      await (await fetch(origin)).body?.cancel();
      return { url: `${origin}/${AZURITE_ACCOUNT.name}`, stop };
    } catch (error) {
      if (Date.now() > limit || !running.has(child)) {
        await stop();
        throw new Error("Azurite does not come up", { cause: error });
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const { pid } of running) if (pid !== undefined) process.kill(pid, "SIGKILL");
});
