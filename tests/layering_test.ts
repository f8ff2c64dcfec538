import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { scanSource } from "./tools/imports.ts";
import * as rules from "./tools/layering.ts";
import { readTree, ROOT, topFolders, type Tree } from "./tools/tree.ts";

const FOLDERS = ["src", "backends", "codecs", "bench", "tests", ".ci"];

const sources = readTree(".ts");
const texts = readTree(".ts", ".json", ".md", ".lock", ".mjs", ".ci/run");

interface Sample {
  /** What the test's name says of the rule. */
  readonly says: string;
  readonly rule: rules.Rule;
  /** The files that it reads. */
  readonly tree: Tree;
  readonly broken: Readonly<Record<string, string>>;
  readonly kept: Readonly<Record<string, string>>;
}

const samples: readonly Sample[] = [
  {
    says: "src imports src only",
    rule: rules.srcImportsOnlySrc,
    tree: sources,
    broken: {
      "src/a.ts": `import { x } from "node:fs";`,
      "src/b/c.ts": `export * from "../../mod.ts";`,
    },
    kept: { "src/b/a.ts": `import type { X } from "../x.ts";`, "src/builtins.ts": `import("x");` },
  },
  {
    says: "import() stands in src/builtins.ts only",
    rule: rules.dynamicImportsStandInBuiltins,
    tree: sources,
    broken: { "src/a.ts": `await import("./b.ts");`, "mod.ts": "import(name)" },
    kept: { "src/builtins.ts": `await import("../codecs/b.ts");`, "backends/a.ts": `import("x")` },
  },
  {
    says: "backends import src and their own files",
    rule: rules.backendsImportSrcAndOwn,
    tree: sources,
    broken: {
      "backends/a.ts": `import { x } from "./b.ts";`,
      "backends/b.ts": `import { x } from "../codecs/x.ts";`,
      "backends/c/d.ts": `import { x } from "../e/f.ts";`,
    },
    kept: {
      "backends/a.ts": `import "./a/b.ts"; import "../src/x.ts"; import "node:fs"; import "redis";`,
      "backends/a/b.ts": `import "./c.ts"; import "../_shared.ts"; import "../../src/x.ts";`,
      "backends/d.ts": `import "./_shared/e.ts";`,
    },
  },
  {
    says: "codecs import types, errors and their own files",
    rule: rules.codecsImportContractsAndOwn,
    tree: sources,
    broken: { "codecs/a.ts": `import "../src/config.ts";`, "codecs/b.ts": `import "./a.ts";` },
    kept: { "codecs/a.ts": `import "../src/types.ts"; import "./_b.ts"; import "node:zlib";` },
  },
  {
    says: "mod.ts reaches src only, without node: and npm",
    rule: rules.modReachesOnlySrc,
    tree: sources,
    broken: {
      "mod.ts": `export { a } from "./src/a.ts";`,
      "src/a.ts": `import { b } from "./b.ts";`,
      "src/b.ts": `import { c } from "@msgpack/msgpack";\nimport "../backends/x.ts";`,
    },
    kept: {
      "mod.ts": `export { a } from "./src/a.ts";`,
      "src/a.ts": `const b = () => import("node:fs");`,
      "backends/b.ts": `import "node:fs";`,
    },
  },
  {
    says: "nothing shipped imports mod.ts",
    rule: rules.nothingShippedImportsMod,
    tree: sources,
    broken: { "backends/a.ts": `import "../mod.ts";`, "src/a.ts": `import "@strata/cache";` },
    kept: { "tests/a_test.ts": `import "../mod.ts";`, "src/a.ts": `/** import "@strata/cache" */` },
  },
  {
    says: "nothing imports from JSR",
    rule: rules.nothingImportsJsr,
    tree: sources,
    broken: { "tests/a.ts": `import { assert } from "${"jsr"}:@std/assert";` },
    kept: { "tests/a.ts": `import assert from "node:assert/strict";` },
  },
  {
    says: "third-party modules are imported by bare names",
    rule: rules.nothingImportsByUrl,
    tree: sources,
    broken: {
      "a.ts": `import "npm:x@1";`,
      "b.ts": `import "https://x/y.ts";`,
      "c.ts": `import "bun:test";`,
    },
    kept: { "a.ts": `import "x"; import "node:fs"; import "@x/y/z";` },
  },
  {
    says: "every relative import is there",
    rule: rules.relativeImportsExist,
    tree: sources,
    broken: { "src/a.ts": `import "./b.ts";`, "tests/c.ts": `import "../src/d.ts";` },
    kept: { "src/a.ts": `import "./b.ts";`, "src/b.ts": "" },
  },
  {
    says: "shipped code names no runtime",
    rule: rules.noRuntimeGlobals,
    tree: sources,
    broken: { "src/a.ts": "Deno.version", "codecs/b.ts": `typeof process === "object"` },
    kept: { "src/a.ts": "// Deno.version\nconst a = 'Bun.file';", "tests/b.ts": "Deno.version" },
  },
  {
    says: "no test is left out",
    rule: rules.noTestIsLeftOut,
    tree: sources,
    broken: {
      "tests/a_test.ts": `test.${"only"}("a")`,
      "tests/b_test.ts": `it("b", { ${"skip"}: true })`,
    },
    kept: { "tests/a_test.ts": `it("does not skip: true", f); list.skip(3);` },
  },
  {
    says: "no file has marks of unfinished work",
    rule: rules.noUnfinishedMarks,
    tree: texts,
    broken: { "src/a.ts": `// ${"TO"}DO: later`, "README.md": `${"FIX"}ME` },
    kept: { "src/a.ts": "// todo lists are cached" },
  },
  {
    says: "no file names a registry's host",
    rule: rules.noRegistryHosts,
    tree: texts,
    broken: { "deno.lock": `"https://registry.${"npmjs"}.org/x"` },
    kept: { "README.md": "the npm registry" },
  },
  {
    says: "no shipped file is longer than 400 lines",
    rule: rules.filesStayShort,
    tree: sources,
    broken: { "src/a.ts": "\n".repeat(401) },
    kept: { "src/a.ts": "\n".repeat(400), "tests/a.ts": "\n".repeat(900) },
  },
  {
    says: "files and folders have snake_case names",
    rule: rules.namesAreSnakeCase,
    tree: sources,
    broken: { "src/aB.ts": "", "src/a-b.ts": "", "src/myFolder/a.ts": "" },
    kept: { "src/_a_b2.ts": "", "mod.ts": "", "tests/my_folder/a_test.ts": "" },
  },
];

for (const { says, rule, tree, broken, kept } of samples) {
  describe(`layering: ${says}`, () => {
    it("holds in this repository", () => {
      assert.ok(tree.size > 0);
      assert.deepEqual(rule(tree), []);
    });
    it("is broken by each bad sample", () => {
      for (const file of Object.keys(broken)) {
        // Samples that build on each other stay together.
        const sample = rule === rules.modReachesOnlySrc ? broken : { [file]: broken[file]! };
        assert.notDeepEqual(rule(new Map(Object.entries(sample))), [], file);
      }
    });
    it("is kept by the good samples", () => {
      assert.deepEqual(rule(new Map(Object.entries(kept))), []);
    });
  });
}

describe("layering: built-ins can be imported", () => {
  const builtins = new Map([[
    "src/builtins.ts",
    `import("../backends/a.ts"); import("../codecs/_b.ts");`,
  ]]);

  it("holds in this repository", () => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
    assert.deepEqual(rules.builtinsAreExported(sources, exports), []);
  });
  it("is broken by a built-in without its line in exports", () => {
    assert.deepEqual(rules.builtinsAreExported(builtins, { ".": "./mod.ts" }), [
      "backends/a.ts has no line in exports",
    ]);
  });
  it("is kept by a built-in that has it", () => {
    const exports = { "./backends/a": "./backends/a.ts" };
    assert.deepEqual(rules.builtinsAreExported(builtins, exports), []);
  });
});

describe("layering: folders", () => {
  it("at the top are those of the design", () => {
    assert.deepEqual(topFolders().filter((folder) => !FOLDERS.includes(folder)), []);
  });
});

describe("scanSource()", () => {
  it("finds imports of every form", () => {
    const { imports } = scanSource(`
      import "a";
      import b from 'b';
      import * as c from "c";
      import d, { type D } from "d";
      import type { E } from "e";
      import {
        f,
      } from "f";
      export * from "g";
      export * as h from "h";
      export { i } from "i";
      export type { J } from "j";
      const k = await import("k");
      const l = await import(
        "l"
      );
    `);
    assert.deepEqual(imports.map(({ specifier }) => specifier), [..."abcdefghijkl"]);
    assert.deepEqual(imports.map(({ dynamic }) => dynamic), [...Array(10).fill(false), true, true]);
  });
  it("takes a computed import() for one without specifier", () => {
    assert.deepEqual(scanSource("import(name)").imports, [{ specifier: undefined, dynamic: true }]);
  });
  it("finds none in comments, strings, templates and properties", () => {
    const { imports } = scanSource(
      "// import 'a'\n/* import 'b' */ const c = \"import 'c'\"; const d = `import 'd'`;\n" +
        "import.meta.url; x.import('e'); const f = { from: 'f' }; export const g = 'from';",
    );
    assert.deepEqual(imports, []);
  });
  it("reads on after a regular expression with quotes", () => {
    const { imports, code } = scanSource("const a = /[\"'`]/g;\nimport 'b';\nconst c = 1 / 2;");
    assert.deepEqual(imports, [{ specifier: "b", dynamic: false }]);
    assert.match(code, /const c = 1 \/ 2;/);
  });
});
