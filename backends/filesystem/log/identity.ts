import * as fs from "node:fs";
import { pid } from "node:process";
import { errorCode } from "./file_layer.ts";

/*
 * An identity is a line of text in lock and owner files: 16 hexadecimal digits
 * that its process counts up as long as it lives, a space, and JSON.
 */

/** Who holds something: one open log of one process. */
export interface Identity {
  /** Process id. */
  readonly pid: number;
  /** When the process began, in the kernel's ticks since boot; `""` where that cannot be told. */
  readonly started: string;
  /** Which boot of which kernel; `""` where that cannot be told. */
  readonly boot: string;
  /** Which namespace of process ids; `""` where that cannot be told. */
  readonly space: string;
  /** Random, of this open log alone. */
  readonly token: string;
}

/** What can be found out about processes; tests give their own. */
export interface ProcessTable {
  /** This process, without a token. */
  self(): Omit<Identity, "token">;
  /**
   * When a process of this boot and namespace began; `undefined` when there is
   * no such process, or it is dead but not yet reaped; `""` when that cannot be
   * told just now.
   */
  started(pid: number): string | undefined;
}

/** Digits of the count that tells a living process where nothing else does. */
export const BEAT_DIGITS = 16;

/** How long the count of a process that cannot be looked up may stand still, in milliseconds of the observer's own time. */
const PATIENCE_MS = 15_000;

/** The process table of Linux; elsewhere it knows nothing, and the count decides. */
export const procTable: ProcessTable = {
  self: () => ({
    pid,
    started: startedOf("self") ?? "",
    boot: textOf("/proc/sys/kernel/random/boot_id"),
    space: linkOf("/proc/self/ns/pid"),
  }),
  started: (other) => startedOf(other),
};

/** Writes an identity. */
export function encodeIdentity(identity: Identity, beat: number): Uint8Array {
  return new TextEncoder().encode(`${encodeBeat(beat)} ${JSON.stringify(identity)}\n`);
}

/** Writes the count. */
export function encodeBeat(beat: number): string {
  return beat.toString(16).padStart(BEAT_DIGITS, "0");
}

/** Reads an identity; `undefined` when it is none. */
export function decodeIdentity(
  bytes: Uint8Array,
): { identity: Identity; beat: string } | undefined {
  const text = new TextDecoder().decode(bytes);
  try {
    const identity: unknown = JSON.parse(text.slice(BEAT_DIGITS + 1));
    return isIdentity(identity) ? { identity, beat: text.slice(0, BEAT_DIGITS) } : undefined;
  } catch {
    return undefined;
  }
}

/** Writes many identities, without counts. */
export function encodeIdentities(identities: readonly Identity[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(identities));
}

/** Reads many identities; `undefined` when one of them is none. */
export function decodeIdentities(bytes: Uint8Array): Identity[] | undefined {
  try {
    const found: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return Array.isArray(found) && found.every(isIdentity) ? found : undefined;
  } catch {
    return undefined;
  }
}

function isIdentity(found: unknown): found is Identity {
  if (typeof found !== "object" || found === null) return false;
  const { pid, started, boot, space, token } = found as Partial<Identity>;
  return Number.isInteger(pid) &&
    [started, boot, space, token].every((field) => typeof field === "string");
}

/** Tells living holders from dead ones, without any clock that may be set. */
export class Witness {
  readonly self: Identity;
  /** Whether no other machine can reach the files. */
  readonly isLocal: boolean;
  readonly #table: ProcessTable;
  readonly #stopwatch: () => number;
  readonly #beats = new Map<string, { beat: string; since: number }>();

  /**
   * @param stopwatch milliseconds that only ever grow.
   * @param isLocal whether no other machine can reach the files.
   */
  constructor(table: ProcessTable, token: string, stopwatch: () => number, isLocal: boolean) {
    this.self = { ...table.self(), token };
    this.#table = table;
    this.#stopwatch = stopwatch;
    this.isLocal = isLocal;
  }

  /**
   * Whether the process that wrote an identity lives. One of this boot and
   * namespace is looked up; its start tells it from a later process of the
   * same number. One of another boot of this machine is dead.
   * Of others only the count can tell, after some time.
   */
  isAlive(bytes: Uint8Array): boolean {
    const found = decodeIdentity(bytes);
    // An identity is published whole, so this one was damaged, by a power cut or a stranger.
    if (found === undefined) return false;
    const { identity, beat } = found;
    return this.#lookUp(identity) ?? this.#isBeating(identity.token, beat);
  }

  /** Whether a process is dead for sure; `false` also where that cannot be told. */
  isKnownDead(identity: Identity): boolean {
    return this.#lookUp(identity) === false;
  }

  /** Whether a process lives, `undefined` where it cannot be looked up. */
  #lookUp({ token, boot, space, started, pid }: Identity): boolean | undefined {
    const { self } = this;
    if (token === self.token) return true;
    if (boot === "" || self.boot === "") return undefined;
    if (boot !== self.boot) return this.isLocal ? false : undefined;
    if (space !== self.space || started === "") return undefined;
    const now = this.#table.started(pid);
    return now === "" ? undefined : now === started;
  }

  #isBeating(token: string, beat: string): boolean {
    const now = this.#stopwatch();
    const last = this.#beats.get(token);
    if (last?.beat === beat) return now - last.since < PATIENCE_MS;
    this.#beats.set(token, { beat, since: now });
    return true;
  }
}

function startedOf(which: number | "self"): string | undefined {
  let stat: string;
  try {
    stat = fs.readFileSync(`/proc/${which}/stat`, "utf8");
  } catch (error) {
    // Only these say that there is no such process; anything else says nothing about it.
    return ["ENOENT", "ESRCH"].includes(errorCode(error)) ? undefined : "";
  }
  // The name of the program is in parentheses and may hold anything, also a ")".
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19] ?? "";
}

function textOf(path: string): string {
  try {
    return fs.readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return fs.readlinkSync(path);
  } catch {
    return "";
  }
}
