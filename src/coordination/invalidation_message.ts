import type { Invalidation } from "./invalidation_bus.ts";

/*
 * Message, version 1: JSON text.
 *
 *   { "v": 1,                    format version
 *     "s": "…",                  sender, 1 to 64 characters
 *     "i": [ [kind, name, version], … ] }
 *
 * kind is "k" (name is a key), "t" (a tag) or "c" (a pattern, or null for all);
 * version is a number, or null where it is not known. JSON escapes lone
 * surrogates, so that any key survives any transport of text.
 */

/** A message taken apart. */
export interface InvalidationMessage {
  /** Who sent it. */
  readonly sender: string;
  /** What has changed. */
  readonly invalidations: readonly Invalidation[];
}

const FORMAT_VERSION = 1;
const MAX_SENDER_LENGTH = 64;

/** Characters of a message: as UTF-8 at most 384 KiB, within what every transport carries. */
const MAX_MESSAGE_LENGTH = 128 * 1024;

/** Far more than fit; bounds what a hostile message costs. */
const MAX_INVALIDATIONS = 20_000;

/** What a message has besides its invalidations. */
const ENVELOPE_LENGTH = 100;

/** In place of what no message holds: everything, which includes it. */
const CLEAR_ALL = '["c",null,null]';

/**
 * Makes messages of invalidations, as few as their size allows. One that is
 * too long for any message becomes a clear of everything.
 *
 * @param sender 1 to 64 characters.
 */
export function encodeInvalidations(
  sender: string,
  invalidations: readonly Invalidation[],
): string[] {
  const messages: string[] = [];
  let parts: string[] = [];
  let length = ENVELOPE_LENGTH;
  const end = (): void => {
    messages.push(`{"v":${FORMAT_VERSION},"s":${JSON.stringify(sender)},"i":[${parts.join()}]}`);
    parts = [];
    length = ENVELOPE_LENGTH;
  };
  for (const invalidation of invalidations) {
    let part = encodeOne(invalidation);
    if (part.length + ENVELOPE_LENGTH > MAX_MESSAGE_LENGTH) part = CLEAR_ALL;
    if (length + part.length >= MAX_MESSAGE_LENGTH || parts.length === MAX_INVALIDATIONS) end();
    parts.push(part);
    length += part.length + 1;
  }
  if (parts.length > 0) end();
  return messages;
}

/** A message that says nothing, by which a bus finds out whether messages arrive. */
export function encodeHeartbeat(sender: string): string {
  return `{"v":${FORMAT_VERSION},"s":${JSON.stringify(sender)},"i":[]}`;
}

/**
 * Reads a message.
 *
 * @param text whatever came in.
 * @returns `undefined` when it is no message of this version.
 */
export function parseInvalidations(text: unknown): InvalidationMessage | undefined {
  if (typeof text !== "string" || text.length > MAX_MESSAGE_LENGTH + ENVELOPE_LENGTH) {
    return undefined;
  }
  const message = parseJson(text);
  if (typeof message !== "object" || message === null) return undefined;
  const { v, s, i } = message as Record<string, unknown>;
  if (v !== FORMAT_VERSION || !isSender(s)) return undefined;
  if (!Array.isArray(i) || i.length > MAX_INVALIDATIONS) return undefined;
  const invalidations: Invalidation[] = [];
  for (const part of i) {
    const invalidation = decodeOne(part);
    if (invalidation === undefined) return undefined;
    invalidations.push(invalidation);
  }
  return { sender: s, invalidations };
}

/** Whether something can name a sender. */
export function isSender(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_SENDER_LENGTH;
}

function encodeOne(invalidation: Invalidation): string {
  const version = invalidation.version ?? null;
  switch (invalidation.kind) {
    case "key":
      return JSON.stringify(["k", invalidation.key, version]);
    case "tag":
      return JSON.stringify(["t", invalidation.tag, version]);
    case "clear":
      return JSON.stringify(["c", invalidation.pattern ?? null, version]);
  }
}

function decodeOne(part: unknown): Invalidation | undefined {
  if (!Array.isArray(part) || part.length !== 3) return undefined;
  const [kind, name, stamp] = part as [unknown, unknown, unknown];
  if (stamp !== null && (typeof stamp !== "number" || !(stamp >= 0))) return undefined;
  const version = stamp ?? undefined;
  if (kind === "c" && name === null) return { kind: "clear", pattern: undefined, version };
  if (typeof name !== "string") return undefined;
  if (kind === "k") return { kind: "key", key: name, version };
  if (kind === "t") return { kind: "tag", tag: name, version };
  if (kind === "c") return { kind: "clear", pattern: name, version };
  return undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
