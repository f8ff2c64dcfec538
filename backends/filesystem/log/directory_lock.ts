import { errorCode, type FileLayer, readFile, removeFile } from "./file_layer.ts";
import { decodeIdentity, encodeIdentity, type Witness } from "./identity.ts";
import { crc } from "./crc.ts";
import { publish } from "./manifest.ts";
import { isSame } from "./same_bytes.ts";

const BREAK_PREFIX = "break-";

/**
 * The lock of a directory, held by one open log for as long as it makes room:
 * a file that holds the identity of its holder.
 *
 * The lock of a dead holder is broken by whoever first creates a file named
 * after that very lock (`break-` and the sum of its bytes), so that of several
 * who see the dead holder at once only one removes the file, and none the lock
 * that follows. When the breaker dies in between, the file it left is itself a
 * lock of a dead holder, to be broken in the same way.
 */
export class DirectoryLock {
  readonly #layer: FileLayer;
  readonly #directory: string;
  readonly #name: string;
  readonly #witness: Witness;
  #held: Uint8Array | undefined;
  #acquisitions = 0;

  constructor(layer: FileLayer, directory: string, name: string, witness: Witness) {
    this.#layer = layer;
    this.#directory = directory;
    this.#name = name;
    this.#witness = witness;
  }

  /** Takes the lock if it is free or its holder is dead. */
  tryAcquire(): boolean {
    const path = `${this.#directory}/${this.#name}`;
    for (let tries = 0; tries < 3; tries++) {
      const mine = this.#identity();
      if (publish(this.#layer, path, mine, this.#temporary(), false)) {
        this.#held = mine;
        return true;
      }
      const holder = this.#read(path);
      // Where an earlier call failed half way, the lock may be this holder's already.
      if (holder !== undefined && this.#isOwn(holder)) {
        this.#held = holder;
        return true;
      }
      if (!this.#breakIfDead(path)) return false;
    }
    return false;
  }

  /** Gives the lock back. Where the disk does not let it, this holder has it still the next time. */
  release(): void {
    const path = `${this.#directory}/${this.#name}`;
    try {
      // Only where its holder cannot be looked up can a lock have been broken while it was held.
      const holder = this.#read(path);
      if (this.#held !== undefined && holder !== undefined && isSame(holder, this.#held)) {
        removeFile(this.#layer, path);
      }
      this.#held = undefined;
    } catch {
      // Whatever is wrong with the disk shows in what matters more.
    }
  }

  /** Whether the lock was broken. */
  #breakIfDead(path: string): boolean {
    const holder = this.#read(path);
    if (holder === undefined) return true;
    if (this.#witness.isAlive(holder)) return false;
    const right = `${this.#directory}/${BREAK_PREFIX}${nameOf(holder)}`;
    if (!publish(this.#layer, right, this.#identity(), this.#temporary(), false)) {
      // The one who was breaking it may be dead as well. Its right passes on in the same way.
      if (!this.#breakIfDead(right)) return false;
      if (!publish(this.#layer, right, this.#identity(), this.#temporary(), false)) return false;
    }
    // From here on nobody else may remove this lock; it may have been removed before.
    const now = this.#read(path);
    if (now !== undefined && isSame(now, holder)) removeFile(this.#layer, path);
    removeFile(this.#layer, right);
    return true;
  }

  #isOwn(holder: Uint8Array): boolean {
    return decodeIdentity(holder)?.identity.token === this.#witness.self.token;
  }

  #read(path: string): Uint8Array | undefined {
    try {
      return readFile(this.#layer, path);
    } catch (error) {
      if (errorCode(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Each acquisition has a text of its own, so that no two locks have one name. */
  #identity(): Uint8Array {
    return encodeIdentity(this.#witness.self, ++this.#acquisitions);
  }

  #temporary(): string {
    return `${this.#directory}/${this.#witness.self.token}.tmp`;
  }
}

function nameOf(bytes: Uint8Array): string {
  return crc(bytes).toString(16).padStart(8, "0");
}
