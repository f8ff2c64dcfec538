/** The levels that a codec takes. */
export interface LevelRange {
  /** The codec, for the message. */
  readonly codec: string;
  /** Fastest. */
  readonly min: number;
  /** Smallest result. */
  readonly max: number;
  /** Taken when none is given. */
  readonly fallback: number;
}

/** The level to use. @throws {RangeError} when it is not an integer of the range. */
export function checkLevel(level: number | undefined, range: LevelRange): number {
  const { codec, min, max, fallback } = range;
  if (level === undefined) return fallback;
  if (Number.isInteger(level) && level >= min && level <= max) return level;
  throw new RangeError(
    `Cannot create ${codec} codec: 'level' must be an integer from ${min} to ${max}: current value is ${level}`,
  );
}
