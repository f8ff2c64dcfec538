import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runtimeCommands } from "../../backends/filesystem/log/helpers.ts";
import { eventually } from "../../servers/eventually.ts";

/** Another process that takes and says lines. */
export class Child {
  /** What it has said. */
  readonly lines: string[] = [];
  /** Resolves with its exit code. */
  readonly ended: Promise<number | null>;
  readonly #process: ChildProcess;

  /**
   * Starts one.
   *
   * @param at chooses among the runtimes that there are.
   * @param script is beside this file.
   */
  constructor(at: number, script: string, ...args: string[]) {
    const commands = runtimeCommands();
    const [program, ...first] = commands[at % commands.length]!;
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#process = spawn(program!, [...first, path, ...args], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.ended = new Promise((resolve) => this.#process.once("exit", (code) => resolve(code)));
    let rest = "";
    this.#process.stdout!.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.lines.push(...lines);
    });
  }

  /** Sends a line. */
  say(line: string): void {
    this.#process.stdin!.write(`${line}\n`);
  }

  /** Waits until it says a line. */
  async says(line: string): Promise<void> {
    await eventually(`${line} of [${this.lines.slice(-20)}]`, () => this.lines.includes(line));
  }

  /** Waits until it says a line, however long that takes. */
  async saysAtLast(line: string): Promise<void> {
    while (!this.lines.includes(line)) await new Promise((resolve) => setTimeout(resolve, 50));
  }

  /** Sends a signal. Not by kill() of the child: Deno's takes one that was stopped for dead. */
  signal(signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    process.kill(this.#process.pid!, signal);
  }

  /** Lets it end. */
  async end(): Promise<number | null> {
    this.#process.stdin!.end();
    return await this.ended;
  }
}
