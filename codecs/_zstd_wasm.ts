import type { Codec } from "../src/types.ts";
import { corrupt, unavailable, wrongSize } from "./_codec_errors.ts";
import { checkZstdFrame } from "./_zstd_frame.ts";

const NAME = "zstd";

/** The functions of libzstd that the package wraps; sizes and errors come as unsigned numbers. */
interface ZstdFunctions {
  compressBound(size: number): number;
  compress(to: number, capacity: number, from: number, size: number, level: number): number;
  decompress(to: number, capacity: number, from: number, size: number): number;
  isError(result: number): number | boolean;
  getErrorName(result: number): string;
}

/** The WebAssembly module under the package's `Zstd`; `HEAPU8` is replaced when its memory grows. */
interface ZstdModule {
  readonly zstd: ZstdFunctions;
  readonly HEAPU8: Uint8Array;
  _malloc(size: number): number;
  _free(pointer: number): void;
}

/**
 * Makes the zstd codec of `@hpcc-js/wasm-zstd`.
 *
 * It calls the module beneath the package's `Zstd` class: that class copies
 * results byte by byte through an array of numbers (some 20 times slower than
 * the compression itself), prints errors to the console, and allocates for
 * frames of unknown size what it guesses. The package's version is pinned.
 *
 * Memory of a WebAssembly module never shrinks: it stays as large as the
 * largest value needed it.
 *
 * @throws when the package cannot be loaded or has another shape.
 */
export async function loadWasmZstd(level: number): Promise<Codec> {
  const { Zstd } = await import("@hpcc-js/wasm-zstd");
  const module = moduleOf(await Zstd.load());
  const { zstd } = module;
  return {
    name: NAME,
    id: 2,
    encode(bytes) {
      const capacity = zstd.compressBound(bytes.length);
      return call(module, bytes, capacity, (to, from) => {
        const size = zstd.compress(to, capacity, from, bytes.length, level);
        if (!zstd.isError(size)) return size;
        throw unavailable(NAME, zstd.getErrorName(size));
      });
    },
    decode(bytes, { length }) {
      checkZstdFrame(bytes, length);
      return call(module, bytes, length, (to, from) => {
        const size = zstd.decompress(to, length, from, bytes.length);
        if (zstd.isError(size)) throw corrupt(NAME, zstd.getErrorName(size));
        if (size !== length) throw wrongSize(NAME, `it yields ${size} bytes, not ${length}`);
        return size;
      });
    },
  };
}

/** Copies bytes into the module, runs a function over them, and copies out as much as it says it wrote. */
function call(
  module: ZstdModule,
  bytes: Uint8Array,
  capacity: number,
  run: (to: number, from: number) => number,
): Uint8Array {
  const from = allocate(module, bytes.length + capacity);
  try {
    module.HEAPU8.set(bytes, from);
    const to = from + bytes.length;
    const size = run(to, from);
    return module.HEAPU8.slice(to, to + size);
  } finally {
    module._free(from);
  }
}

function allocate(module: ZstdModule, size: number): number {
  const pointer = module._malloc(Math.max(1, size)) >>> 0;
  if (pointer !== 0) return pointer;
  throw unavailable(NAME, `there is no memory for ${size} bytes`);
}

function moduleOf(zstd: unknown): ZstdModule {
  const module = (zstd as { _mainModule?: { _module?: Partial<ZstdModule> } })._mainModule?._module;
  if (
    module?.zstd === undefined || module._malloc === undefined || module._free === undefined ||
    module.HEAPU8 === undefined
  ) throw new TypeError("@hpcc-js/wasm-zstd has another shape than version 1.12.5");
  return module as ZstdModule;
}
