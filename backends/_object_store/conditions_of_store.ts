import { CacheError } from "../../src/errors.ts";
import type { BackendContext } from "../../src/types.ts";
import { abortable } from "../_abortable.ts";
import { type Conditions, type ConditionsProbeParts, probeConditions } from "./conditions.ts";
import type { ObjectStoreSettings } from "./settings.ts";

/** What {@linkcode ConditionsOfStore} needs. */
export interface ConditionsOfStoreParts extends ConditionsProbeParts {
  /** Names the backend, and says what is known from its config. */
  readonly settings: Pick<ObjectStoreSettings, "name" | "conditionalWrites">;
  /** Hears of it when there are none. */
  readonly context: BackendContext;
  /** Called once when there are none. */
  readonly onNone: () => void;
}

/** Finds out once how the conditions of a store are used. */
export class ConditionsOfStore {
  readonly #parts: ConditionsOfStoreParts;
  #finding: Promise<Conditions | undefined> | undefined;
  #known: Conditions | undefined;

  constructor(parts: ConditionsOfStoreParts) {
    this.#parts = parts;
    const { conditionalWrites } = parts.settings;
    if (conditionalWrites === true) this.#known = { tag: (tag) => tag, onDelete: false };
    if (conditionalWrites !== undefined) this.#finding = Promise.resolve(this.#known);
  }

  /** What has been found so far. */
  get known(): Conditions | undefined {
    return this.#known;
  }

  /** Finds out, for all who ask meanwhile. @returns `undefined` when the store has none. */
  find(signal: AbortSignal | undefined): Promise<Conditions | undefined> {
    // Not with the signal of one of them.
    this.#finding ??= this.#find().catch((error) => {
      this.#finding = undefined;
      throw error;
    });
    return abortable(this.#finding, signal);
  }

  async #find(): Promise<Conditions | undefined> {
    this.#known = await probeConditions(this.#parts, undefined);
    if (this.#known === undefined) this.#tellOfNone();
    return this.#known;
  }

  #tellOfNone(): void {
    const { store, settings, context, onNone } = this.#parts;
    onNone();
    context.report({
      kind: "error",
      error: new CacheError(
        "unavailable",
        `Cannot compare versions in ${store.label}: the store ignores conditions on writes, so the last write wins: 'conditionalWrites: false' spares finding out`,
        { backend: settings.name },
      ),
    });
  }
}
