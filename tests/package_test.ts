import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { scanSource } from "./tools/imports.ts";
import { readTree, ROOT } from "./tools/tree.ts";

interface DenoConfig {
  readonly name: string;
  readonly version: string;
  readonly exports: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly tasks: Readonly<Record<string, unknown>>;
  readonly publish: { readonly include: readonly string[] };
}

const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const config: DenoConfig = JSON.parse(read("deno.json"));
const packages = Object.entries(config.imports).filter(([, target]) => target.startsWith("npm:"));
const sources = readTree(".ts", ".mjs");

/** The package of a bare specifier: `a/b` is of `a`, `@a/b/c` of `@a/b`. */
function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

describe("deno.json", () => {
  it("exports only files that are there and published", () => {
    for (const [name, file] of Object.entries(config.exports)) {
      assert.ok(existsSync(join(ROOT, file)), `${name} is not there`);
      const top = file.split("/")[1]!;
      assert.ok(config.publish.include.includes(top), `${name} is not published`);
    }
  });

  it("publishes only what is there, the licence and the documents with it", () => {
    for (const path of config.publish.include) assert.ok(existsSync(join(ROOT, path)), path);
    for (const path of ["README.md", "LICENSE", "CHANGELOG.md", "deno.json"]) {
      assert.ok(config.publish.include.includes(path), path);
    }
  });

  it("pins every npm package to one version under its own name", () => {
    assert.ok(packages.length > 0);
    for (const [name, target] of packages) {
      assert.match(target, /^npm:(?:@[\w-]+\/)?[\w.-]+@\d+\.\d+\.\d+(?:-[\w.]+)?$/);
      assert.equal(target.slice("npm:".length, target.lastIndexOf("@")), name);
    }
  });

  it("maps no npm package that nothing uses", () => {
    for (const [name] of packages) {
      // The demo's data are read from the package's folder, not imported.
      const used = [...sources.values()].some((source) => source.includes(name));
      assert.ok(used, `${name} is not used`);
    }
  });

  it("maps every bare specifier that is imported", () => {
    for (const [file, source] of sources) {
      for (const { specifier } of scanSource(source).imports) {
        if (specifier === undefined || /^(?:\.{0,2}\/|node:)/.test(specifier)) continue;
        assert.ok(Object.hasOwn(config.imports, packageOf(specifier)), `${file}: ${specifier}`);
      }
    }
  });

  it("has the tasks that the README names", () => {
    for (const task of ["demo", "test", "ok", "bench"]) assert.ok(task in config.tasks, task);
  });
});

describe("deno.lock", () => {
  it("locks every npm package of deno.json and no other", () => {
    const lock: { workspace: { dependencies: string[] } } = JSON.parse(read("deno.lock"));
    const wanted = packages.map(([, target]) => target).sort();
    assert.deepEqual([...lock.workspace.dependencies].sort(), wanted);
  });
});

describe("CHANGELOG.md", () => {
  it("has a heading for the version of deno.json", () => {
    const headings = read("CHANGELOG.md").split("\n").filter((line) => line.startsWith("## "));
    const version = config.version.replaceAll(".", "\\.");
    assert.ok(headings.some((line) => new RegExp(`(?<![\\d.])${version}(?![\\d.])`).test(line)));
  });
});

describe("README.md", () => {
  it("names the two commands that do all set-up", () => {
    const readme = read("README.md");
    for (const task of ["demo", "test"]) {
      assert.ok(readme.includes(`npx -y deno task ${task}`), task);
    }
  });
});
