import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import process from "node:process";
import { runCommand } from "../run/spawn.ts";
import type { Certificates } from "./certificates.ts";
import { freePort, scratchFolder } from "./scratch.ts";

/**
 * The emulator of Azure Storage by its vendor. It brings 400 packages, so npx
 * keeps it in its own folder, as it does the runtimes.
 */
const PACKAGE = "azurite@3.37.0";

const START_LIMIT_MS = 120_000;

/**
 * Ten minutes after its start, Azurite sweeps the data that nothing refers to,
 * in one go that takes minutes and lets no request through. No option puts it
 * off, so its constant is changed: to 24 days.
 */
const WITHOUT_SWEEP = `
  import { createRequire } from "node:module";
  import { argv } from "node:process";
  const constants = createRequire(argv[1])("./utils/constants.js");
  if (constants.DEFAULT_GC_INTERVAL_MS !== 600_000) throw new Error("another Azurite");
  constants.DEFAULT_GC_INTERVAL_MS = 2 ** 31 - 1;
`;

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

/**
 * Starts it, with everything in memory. It ends with this process at the latest.
 *
 * @param certificates have it speak TLS only, and take tokens.
 */
export async function startAzurite(certificates?: Certificates): Promise<AzuriteServer> {
  const program = await findAzurite();
  const port = await freePort();
  const { path, remove } = scratchFolder("azurite");
  const args = [
    ...["--blobHost", "127.0.0.1", "--blobPort", String(port)],
    ...["--inMemoryPersistence", "--silent", "--disableTelemetry", "--skipApiVersionCheck"],
    ...(certificates === undefined ? [] : [
      ...["--oauth", "basic", "--cert", certificates.certFile, "--key", certificates.keyFile],
    ]),
  ];
  const preload = ["--import", `data:text/javascript,${encodeURIComponent(WITHOUT_SWEEP)}`];
  const child = spawn("node", [...preload, program, ...args], { cwd: path, stdio: "ignore" });
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
  const origin = `${certificates === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  const limit = Date.now() + START_LIMIT_MS;
  while (true) {
    if (await isListening(port)) return { url: `${origin}/${AZURITE_ACCOUNT.name}`, stop };
    if (Date.now() > limit || !running.has(child)) {
      await stop();
      throw new Error("Azurite does not come up");
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether somebody takes connections there. */
function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  return new Promise((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
  }).finally(() => socket.destroy()) as Promise<boolean>;
}

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const { pid } of running) if (pid !== undefined) process.kill(pid, "SIGKILL");
});
