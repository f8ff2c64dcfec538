import { DIMENSIONS } from "./items.ts";
import type { Item, OpenPeer, Peer } from "./peer.ts";
import { mapTiming, timed, type Timing } from "./timing.ts";

/** What is timed, in this order. */
export const OPERATIONS = ["set", "get", "get64", "delete"] as const;

/** One of {@linkcode OPERATIONS}. */
export type Operation = typeof OPERATIONS[number];

/** Time of one operation; absent what the peer has not got. */
export type Figures = Partial<Record<Operation, Timing>>;

/** What a peer is given to do. */
export interface Work {
  /** In the order of writing. */
  readonly items: readonly Item[];
  /** In the order of reading. */
  readonly asked: readonly Item[];
}

const AT_ONCE = 64;
/** One value in so many is compared as a whole, before the clock starts. */
const COMPARE_EVERY = 16;

/** Fills an empty folder, reads it, and empties it again. */
export async function measurePeer(
  peer: Peer,
  folder: string,
  { items, asked }: Work,
): Promise<Figures> {
  const store = await peer.open(folder, items);
  try {
    const figures: Figures = { set: await perItem(items, () => setAll(store, items)) };
    await compareSome(store, asked);
    figures.get = await perItem(asked, () => getAll(store, asked));
    figures.get64 = await perItem(asked, () => getAtOnce(store, asked));
    if (store.delete !== undefined) {
      figures.delete = await perItem(asked, () => deleteAll(store, asked));
    }
    return figures;
  } finally {
    await store.close();
  }
}

/** Writes one after another; where a store answers at once, nothing is awaited. */
export async function setAll(
  store: Pick<OpenPeer, "set" | "flush">,
  items: readonly Item[],
): Promise<void> {
  for (const item of items) {
    const answer = store.set(item);
    const stored = answer instanceof Promise ? await answer : answer;
    if (stored === false) throw new Error(`Cannot set ${item.key}`);
  }
  await store.flush?.();
}

async function getAll(store: OpenPeer, items: readonly Item[]): Promise<void> {
  for (const item of items) {
    const answer = store.get(item);
    glanceAt(answer instanceof Promise ? await answer : answer, item);
  }
}

async function getAtOnce(store: OpenPeer, items: readonly Item[]): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const item = items[next++]!;
      glanceAt(await store.get(item), item);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function deleteAll(store: OpenPeer, items: readonly Item[]): Promise<void> {
  for (const item of items) {
    const answer = store.delete!(item);
    if (answer instanceof Promise) await answer;
  }
  await store.flush?.();
}

async function perItem(items: readonly Item[], run: () => Promise<void>): Promise<Timing> {
  return mapTiming(await timed(run), (us) => us / items.length);
}

function bytesOf(value: Uint8Array | Float32Array | undefined): Uint8Array | undefined {
  return value instanceof Float32Array
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : value;
}

/** Enough of a check to know that the value has been read, and is that of its key. */
function glanceAt(value: Uint8Array | Float32Array | undefined, item: Item): void {
  const isRight = value?.length === DIMENSIONS
    ? value[0] === item.firstNumber
    : value?.length === DIMENSIONS * 4 && value[1] === item.secondByte;
  if (!isRight) throw new Error(`Wrong value for ${item.key}`);
}

async function compareSome(store: OpenPeer, items: readonly Item[]): Promise<void> {
  for (let at = 0; at < items.length; at += COMPARE_EVERY) {
    const item = items[at]!;
    const bytes = bytesOf(await store.get(item));
    if (!bytes?.every((byte, index) => byte === item.bytes[index])) {
      throw new Error(`Wrong value for ${item.key}`);
    }
  }
}
