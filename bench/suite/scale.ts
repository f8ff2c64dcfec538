import process from "node:process";

/** Whether this run shall only show that the bench works. */
export const isQuick: boolean = process.argv.includes("--quick");

/** Of two settings the one for this run. */
export function scaled<T>(quick: T, full: T): T {
  return isQuick ? quick : full;
}
