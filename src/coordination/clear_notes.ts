/** A clear that was noted where others can read it. */
export interface NotedClear {
  /** `undefined` for everything. */
  readonly pattern: string | undefined;
  /** When it was said. */
  readonly version: number;
}

/** Where clears are noted for those who are not told of them. */
export interface ClearNotes {
  /** Notes a clear. @returns whether that was possible. */
  note(pattern: string | undefined, version: number): Promise<boolean>;
  /** The clears of the last minutes, `undefined` where they cannot be read. */
  read(): Promise<readonly NotedClear[] | undefined>;
}
