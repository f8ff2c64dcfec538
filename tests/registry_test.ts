import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CacheManager } from "../src/manager/cache_manager.ts";
import { CacheBackendRegistry } from "../src/registry.ts";
import { FakeClock } from "./fakes/fake_clock.ts";
import { MapBackend } from "./fakes/map_backend.ts";

const clock = new FakeClock();
const context = { clock, report: () => {} };

describe("CacheBackendRegistry", () => {
  it("makes a type known until it is unregistered", async () => {
    assert.equal(CacheBackendRegistry.has("my-store"), false);
    CacheBackendRegistry.register(
      "my-store",
      (_config, { clock }) => new MapBackend(clock, "mine"),
    );
    try {
      assert.equal(CacheBackendRegistry.has("my-store"), true);
      assert.ok(CacheBackendRegistry.types().includes("my-store"));
      assert.equal(
        (await CacheBackendRegistry.create({ type: "my-store" }, context)).name,
        "mine",
      );
      await using cache = await CacheManager.open({ backends: [{ type: "my-store" }] });
      await cache.set("key", 1);
      assert.equal(await cache.get("key"), 1);
    } finally {
      assert.equal(CacheBackendRegistry.unregister("my-store"), true);
    }
    assert.equal(CacheBackendRegistry.unregister("my-store"), false);
    assert.equal(CacheBackendRegistry.has("my-store"), false);
  });

  it("knows the built-in types, and loads one when it is named", async () => {
    for (const type of ["memory", "filesystem"]) {
      assert.ok(CacheBackendRegistry.has(type) && CacheBackendRegistry.types().includes(type));
      assert.equal(CacheBackendRegistry.unregister(type), false);
      assert.equal(CacheBackendRegistry.has(type), true);
    }
    const memory = await CacheBackendRegistry.create({ type: "memory", name: "mine" }, context);
    assert.equal(memory.name, "mine");
    await memory.close?.();
  });

  it("refuses a name that is none or taken, and a factory that is none", () => {
    const factory = () => new MapBackend(clock);
    for (const type of ["", 1, undefined]) {
      assert.throws(() => CacheBackendRegistry.register(type as string, factory), {
        name: "TypeError",
        message: "Cannot register backend: 'type' must be a non-empty string",
      });
    }
    assert.throws(() => CacheBackendRegistry.register("memory", factory), {
      name: "TypeError",
      message: 'Cannot register backend "memory": the type is taken',
    });
    assert.throws(() => CacheBackendRegistry.register("none", {} as never), {
      name: "TypeError",
      message: 'Cannot register backend "none": factory must be a function',
    });
    CacheBackendRegistry.register("once", factory);
    assert.throws(() => CacheBackendRegistry.register("once", factory), {
      message: 'Cannot register backend "once": the type is taken',
    });
    CacheBackendRegistry.unregister("once");
    assert.equal(CacheBackendRegistry.has("none"), false);
  });

  it("create() refuses a type that is not known, with the nearest one, whatever it is", async () => {
    const known = CacheBackendRegistry.types().map((type) => `"${type}"`).join(", ");
    for (
      const [type, shown] of [
        ["memoyr", '"memoyr": did you mean "memory"?'],
        ["file-system", '"file-system": did you mean "filesystem"?'],
        ["__proto__", '"__proto__"'],
        ["toString", '"toString"'],
        [undefined, "undefined"],
        [10n, "10n"],
        [Symbol("memory"), "a symbol"],
        [{}, "an object"],
      ] as const
    ) {
      await assert.rejects(CacheBackendRegistry.create({ type }, context), {
        name: "TypeError",
        message: `Cannot open backend: 'type' must be one of ${known}: current value is ${shown}`,
      });
    }
  });

  it("create() passes on what a factory throws", async () => {
    const thrown = new RangeError("no");
    CacheBackendRegistry.register("throwing", () => {
      throw thrown;
    });
    await assert.rejects(CacheBackendRegistry.create({ type: "throwing" }, context), thrown);
    CacheBackendRegistry.unregister("throwing");
  });
});
