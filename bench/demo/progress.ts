import process from "node:process";

const WIDTH = 20;

/** A line that grows while work goes on; where the output is no terminal, only its last state is written. */
export class Progress {
  readonly #name: string;
  readonly #total: number;

  constructor(name: string, total: number) {
    this.#name = name.padEnd(28);
    this.#total = total;
  }

  /** Shows how much is done. */
  show(done: number): void {
    if (process.stdout.isTTY) process.stdout.write(`\r${this.#line(done)}`);
  }

  /** Shows that all is done, and what came of it. */
  end(outcome: string): void {
    process.stdout.write(
      `${process.stdout.isTTY ? "\r" : ""}${this.#line(this.#total)}   ${outcome}\n`,
    );
  }

  #line(done: number): string {
    const filled = Math.round(done / this.#total * WIDTH);
    const count = `${done}/${this.#total}`.padStart(String(this.#total).length * 2 + 1);
    return `  ${this.#name}${"█".repeat(filled)}${"░".repeat(WIDTH - filled)} ${count}`;
  }
}
