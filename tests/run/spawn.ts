import { spawn } from "node:child_process";
import process from "node:process";

/** Options of {@linkcode runCommand}. */
export interface CommandOptions {
  /** The folder to run in. @default the current one */
  readonly cwd?: string | undefined;
  /** Variables on top of this process's own. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** After this the command and all its children are killed, in milliseconds. @default 600_000 */
  readonly limit?: number | undefined;
  /** Shows the output as it comes instead of keeping it. @default false */
  readonly show?: boolean | undefined;
  /** Kills the command and all its children. Without it, an interrupt of this process does, and ends this process too. */
  readonly signal?: AbortSignal | undefined;
}

/** How a command ended. */
export interface CommandResult {
  /** The exit code, `undefined` when the command could not start or was killed. */
  readonly code: number | undefined;
  /** What it wrote to its standard output. */
  readonly stdout: string;
  /** What it wrote to both outputs, in the order of arrival. */
  readonly output: string;
  /** Why it has no exit code. */
  readonly trouble: string | undefined;
  /** How long it ran, in milliseconds. */
  readonly elapsed: number;
}

/** Runs one command to its end; it never rejects, what went wrong is in the result. */
export function runCommand(
  command: readonly [string, ...string[]],
  { cwd, env = {}, limit = 600_000, show = false, signal }: CommandOptions = {},
): Promise<CommandResult> {
  const [program, ...args] = command;
  const started = performance.now();
  return new Promise((resolve) => {
    let stdout = "";
    let output = "";
    let trouble: string | undefined;
    // A group of its own, so that a hung test's children die with it.
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, NPM_CONFIG_LOGLEVEL: "error", NO_COLOR: "1", ...env },
      stdio: ["ignore", show ? "inherit" : "pipe", show ? "inherit" : "pipe"],
      detached: true,
    });
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      } catch {
        // The group has ended between the signal and now.
      }
    };
    const interrupt = (): void => {
      kill();
      process.exit(130);
    };
    const timer = setTimeout(() => {
      trouble = `did not end within ${Math.round(limit / 1000)} s and was killed`;
      kill();
    }, limit);
    const abort = (): void => {
      trouble ??= "was interrupted";
      kill();
    };
    const settle = (code: number | null, ending: string | null): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
      if (code === null) trouble ??= `was ended by ${ending ?? "an unknown cause"}`;
      resolve({
        code: trouble === undefined ? code ?? undefined : undefined,
        stdout,
        output,
        trouble,
        elapsed: performance.now() - started,
      });
    };
    if (signal === undefined) process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
    else if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      output += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.on("error", (error) => {
      trouble = `could not be started: ${error.message}`;
      settle(null, null);
    });
    child.on("close", settle);
  });
}
