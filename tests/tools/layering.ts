/*
 * The rules of what may import what and of how files are named and kept. Each
 * rule takes sources by path and returns what breaks it, a line each.
 */

import { posix } from "node:path";
import { type ModuleImport, scanSource } from "./imports.ts";
import type { Tree } from "./tree.ts";

/** A rule: what breaks it, a line each. */
export type Rule = (tree: Tree) => string[];

/** The one file of src that may name what lies outside of it, behind `import()`. */
const BUILTINS = "src/builtins.ts";

/** Longer files are to be split. */
const MAX_LINES = 400;

const SHIPPED = /^(?:mod\.ts$|src\/|backends\/|codecs\/)/;
const CODEC_MAY_IMPORT = new Set(["src/types.ts", "src/errors.ts"]);

interface FileImport extends ModuleImport {
  readonly file: string;
  /** The path from the root that a relative specifier means. */
  readonly target: string | undefined;
}

/** src imports src only; src/builtins.ts may load anything, but only behind `import()`. */
export const srcImportsOnlySrc: Rule = (tree) =>
  allImports(tree)
    .filter(({ file }) => file.startsWith("src/"))
    .filter(({ file, dynamic }) => !(dynamic && file === BUILTINS))
    .filter(({ target }) => target === undefined || !target.startsWith("src/"))
    .map(describeImport);

/** `import()` stands in src/builtins.ts only, as far as mod.ts and src go. */
export const dynamicImportsStandInBuiltins: Rule = (tree) =>
  allImports(tree)
    .filter(({ file, dynamic }) => dynamic && /^(?:mod\.ts$|src\/)/.test(file) && file !== BUILTINS)
    .map(describeImport);

/** A backend imports src, its own folder, files and folders private to backends/, node: and npm. */
export const backendsImportSrcAndOwn: Rule = (tree) =>
  allImports(tree)
    .filter(({ file }) => file.startsWith("backends/"))
    .filter(({ file, target, specifier }) =>
      target === undefined
        ? specifier === undefined || /^[./]/.test(specifier)
        : !target.startsWith("src/") && !isOwn(file, target)
    )
    .map(describeImport);

/** A codec imports src/types.ts, src/errors.ts, its own folder, files private to codecs/, node: and npm. */
export const codecsImportContractsAndOwn: Rule = (tree) =>
  allImports(tree)
    .filter(({ file }) => file.startsWith("codecs/"))
    .filter(({ file, target, specifier }) =>
      target === undefined
        ? specifier === undefined || /^[./]/.test(specifier)
        : !CODEC_MAY_IMPORT.has(target) && !isOwn(file, target)
    )
    .map(describeImport);

/** What loads with mod.ts is mod.ts and src, without node: and npm. */
export const modReachesOnlySrc: Rule = (tree) => {
  const imports = allImports(tree).filter(({ dynamic }) => !dynamic);
  const reached = new Set(["mod.ts"]);
  const problems: string[] = [];
  for (const file of reached) {
    for (const found of imports.filter((candidate) => candidate.file === file)) {
      if (found.target?.startsWith("src/") === true) reached.add(found.target);
      else problems.push(describeImport(found));
    }
  }
  return problems;
};

/** mod.ts is for users, tests and bench. */
export const nothingShippedImportsMod: Rule = (tree) =>
  allImports(tree)
    .filter(({ file, target, specifier }) =>
      SHIPPED.test(file) && (target === "mod.ts" || specifier?.startsWith("@strata/cache") === true)
    )
    .map(describeImport);

/** JSR cannot be reached from where this is built. */
export const nothingImportsJsr: Rule = (tree) =>
  allImports(tree).filter(({ specifier }) => specifier?.startsWith("jsr:") === true)
    .map(describeImport);

/** Third-party modules are bare names, since Bun and Node know no `npm:` and no URLs. */
export const nothingImportsByUrl: Rule = (tree) =>
  allImports(tree).filter(({ specifier }) => /^(?:npm|https?|bun|file):/.test(specifier ?? ""))
    .map(describeImport);

/** Every relative import ends in a file that is there, as Node demands. */
export const relativeImportsExist: Rule = (tree) =>
  allImports(tree)
    .filter(({ target }) => target !== undefined && target.endsWith(".ts") && !tree.has(target))
    .map(describeImport);

/** Shipped code asks for no runtime by name. */
export const noRuntimeGlobals: Rule = (tree) =>
  matchCode(tree, SHIPPED, /(?<![.\w$])(?:Deno|Bun)\s*[.[?]|\btypeof\s+(?:Deno|Bun|process)\b/g);

/** A test always runs. */
export const noTestIsLeftOut: Rule = (tree) =>
  matchCode(
    tree,
    /^(?:tests|bench)\//,
    /(?<=\b(?:describe|it|test|suite|t))\.(?:only|skip|todo)\b|\b(?:only|skip|todo):\s*(?:true|["'`])/g,
  );

/** Work that is left is in an issue, not in the code. */
export const noUnfinishedMarks: Rule = (tree) =>
  matchText(tree, /\b(?:TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/g);

/** The hosts of registries are the business of whoever installs. */
export const noRegistryHosts: Rule = (tree) =>
  matchText(tree, /registry\.(?:npm|yarn)[a-z]*\.\w+|deb\.debian\.\w+|npm\.jsr\.\w+/g);

/** A file of shipped code stays readable. */
export const filesStayShort: Rule = (tree) =>
  [...tree].filter(([file]) => SHIPPED.test(file))
    .map(([file, source]) => ({ file, lines: source.split("\n").length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ file, lines }) => `${file} has ${lines} lines, more than ${MAX_LINES}`);

/** Files and folders are named in snake_case; a leading `_` marks what is private to its folder. */
export const namesAreSnakeCase: Rule = (tree) =>
  [...tree.keys()].filter((file) =>
    !file.split("/").every((part) => /^[._]?[a-z0-9]+(?:_[a-z0-9]+)*(?:\.ts)?$/.test(part))
  ).map((file) => `${file} is not snake_case`);

/** What a config can name can also be imported. */
export function builtinsAreExported(
  tree: Tree,
  exports: Readonly<Record<string, string>>,
): string[] {
  return importsOf(BUILTINS, tree.get(BUILTINS) ?? "")
    .map(({ target }) => target ?? "")
    .filter((target) => /^(?:backends|codecs)\/[^_/][^/]*$/.test(target))
    .filter((target) => exports[`./${target.replace(/\.ts$/, "")}`] !== `./${target}`)
    .map((target) => `${target} has no line in exports`);
}

function allImports(tree: Tree): FileImport[] {
  return [...tree].flatMap(([file, source]) => importsOf(file, source));
}

function importsOf(file: string, source: string): FileImport[] {
  return scanSource(source).imports.map(({ specifier, dynamic }) => ({
    file,
    specifier,
    dynamic,
    target: specifier !== undefined && /^\.\.?\//.test(specifier)
      ? posix.join(posix.dirname(file), specifier)
      : undefined,
  }));
}

function describeImport({ file, specifier, dynamic }: FileImport): string {
  const what = specifier === undefined ? "something computed" : `"${specifier}"`;
  return `${file} ${dynamic ? "loads" : "imports"} ${what}`;
}

/** `backends/x.ts` and what is in `backends/x/` belong together; `backends/_y.ts` and `backends/_z/` belong to all. */
function isOwn(file: string, target: string): boolean {
  const [layer, name = ""] = file.split("/");
  const [targetLayer, targetName = ""] = target.split("/");
  const bare = (part: string): string => part.replace(/\.ts$/, "");
  return layer === targetLayer &&
    (bare(name) === bare(targetName) || targetName.startsWith("_"));
}

function matchCode(tree: Tree, files: RegExp, pattern: RegExp): string[] {
  const code = [...tree].filter(([file]) => files.test(file))
    .map(([file, source]): [string, string] => [file, scanSource(source).code]);
  return matchText(new Map(code), pattern);
}

function matchText(tree: Tree, pattern: RegExp): string[] {
  return [...tree].flatMap(([file, text]) =>
    [...text.matchAll(pattern)].map((match) =>
      `${file}:${text.slice(0, match.index).split("\n").length} has ${match[0].trim()}`
    )
  );
}
