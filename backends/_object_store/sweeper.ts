import { decodeFrameHeader } from "../../src/entry/frame.ts";
import { isCacheError } from "../../src/errors.ts";
import type { BackendContext } from "../../src/types.ts";
import type { ConditionsOfStore } from "./conditions_of_store.ts";
import type { Standing } from "./object_metadata.ts";
import { parseStanding } from "./object_metadata.ts";
import type { ObjectInfo, StoredObject } from "./object_store.ts";
import type { Records } from "./records.ts";

/** What sweeping needs. */
export interface SweeperParts {
  /** Looks at objects and removes them. */
  readonly records: Records;
  /** Says whether deletions take conditions, if that is known. */
  readonly conditions: ConditionsOfStore;
  /** Clock and listener. */
  readonly context: BackendContext;
  /** Milliseconds that an entry is kept after its end. */
  readonly grace: number;
  /** Runs what changes a key, after what came before it. */
  readonly run: (key: string, operate: () => Promise<void>) => Promise<void>;
}

/** Removes objects whose entries were found to be over, in the background. */
export class Sweeper {
  readonly #parts: SweeperParts;
  #swept = 0;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
  }

  /** Objects that were removed. */
  get swept(): number {
    return this.#swept;
  }

  /** Removes an object if its entry is over. */
  sweep(key: string, name: string, held: StoredObject | ObjectInfo): void {
    const { conditions, records, context, run } = this.#parts;
    if (!this.#isOver(standingOf(held))) return;
    run(key, async () => {
      if (conditions.known?.onDelete === true) {
        if (!await records.remove(name, undefined, held.tag)) return;
      } else {
        // Another may have been written meanwhile.
        const now = await records.look(name, undefined);
        if (!this.#isOver(now?.standing)) return;
        await records.remove(name, undefined);
      }
      this.#swept++;
    }).catch((error) => {
      if (!isCacheError(error, "closed")) context.report({ kind: "error", key, error });
    });
  }

  #isOver(standing: Standing | undefined): boolean {
    const { grace, context } = this.#parts;
    return standing !== undefined && standing.staleUntil + grace <= context.clock.now();
  }
}

function standingOf(held: StoredObject | ObjectInfo): Standing | undefined {
  const standing = parseStanding(held.metadata);
  if (standing !== undefined || !("bytes" in held)) return standing;
  try {
    return decodeFrameHeader(held.bytes);
  } catch (error) {
    if (!isCacheError(error)) throw error;
    return undefined;
  }
}
