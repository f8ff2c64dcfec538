import { canonical } from "./_canonical.ts";
import { seedOf } from "./_key_memo.ts";
import { ConfigReader, show } from "./config.ts";

/**
 * What makes a vector differ for the same text: the model's name, and
 * whatever else the program can choose, such as `version`, `task` or `pooling`.
 * A name alone may be given as a string, which is faster.
 */
export interface EmbeddingModel {
  /** The model's name. */
  readonly name: string;
  /** The length of its vectors, where the model has a choice. */
  readonly dimensions?: number | undefined;
  /** More plain data that tells it apart. */
  readonly [field: string]: unknown;
}

/** A model with its dimensions, as keys and checks need it. */
export interface EmbeddingTarget {
  readonly model: unknown;
  readonly askedDimensions: number | undefined;
  readonly dimensions: number | undefined;
  /** Begins the keys in which the text stands as it is. */
  readonly prefix: string;
  /** Goes with it, see `seedOf`. */
  readonly seed: number;
  /** Begins the keys in which a digest stands for the text. */
  readonly digestPrefix: string;
}

const DIGEST_MARK = "~sha256";

/**
 * Reads a model as a caller gave it.
 *
 * @throws {TypeError} when it has no name, or holds what cannot be part of a key.
 * @throws {RangeError} when its dimensions are no positive integer, or differ from those asked for.
 */
export function targetOf(
  model: string | EmbeddingModel,
  askedDimensions: number | undefined,
  cachePrefix: string,
  defaultDimensions: number | undefined,
  storageMark: string,
): EmbeddingTarget {
  const subject = "Cannot make embedding key";
  const isName = typeof model === "string";
  if (!isName && (typeof model !== "object" || model === null)) {
    throw new TypeError(
      `${subject}: 'model' must be a string or an object with a name: current value is ${
        show(model)
      }`,
    );
  }
  const { name, dimensions: ownDimensions, ...others } = isName ? { name: model } : model;
  if (typeof name !== "string" || name === "") {
    throw new TypeError(
      `${subject}: 'model' must have a non-empty string as name: current value is ${show(name)}`,
    );
  }
  const reader = new ConfigReader(
    subject,
    { dimensions: askedDimensions ?? ownDimensions ?? defaultDimensions },
    ["dimensions"],
  );
  const dimensions = reader.integer("dimensions", { min: 1 });
  if (ownDimensions !== undefined && ownDimensions !== dimensions) {
    throw new RangeError(
      `${subject}: 'dimensions' differs from that of 'model': current values are ${dimensions} and ${
        show(ownDimensions)
      }`,
    );
  }
  // Each part says where it begins: traits by a brace, the storage and the digest by a tilde, dimensions by #; none of them has a colon, or it stands within quotes.
  const traits = canonical(others, subject, "model");
  const beginning = `${cachePrefix}:${JSON.stringify(name)}${traits === "{}" ? "" : traits}`;
  const end = `${dimensions === undefined ? "" : `#${dimensions}`}:`;
  const prefix = `${beginning}${storageMark}${end}`;
  return {
    model,
    askedDimensions,
    dimensions,
    prefix,
    seed: seedOf(prefix),
    digestPrefix: `${beginning}${storageMark}${DIGEST_MARK}${end}`,
  };
}
