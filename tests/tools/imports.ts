/** One import or re-export of a module. */
export interface ModuleImport {
  /** What is imported, `undefined` for a dynamic import of something computed. */
  readonly specifier: string | undefined;
  /** Whether it stands behind `import()`. */
  readonly dynamic: boolean;
}

/** A TypeScript source taken apart. */
export interface ScannedSource {
  readonly imports: readonly ModuleImport[];
  /** The source with comments, and the insides of strings and regular expressions, blanked. */
  readonly code: string;
}

const COMMENT = String.raw`\/\/[^\n]*|\/\*[^]*?\*\/`;
const STRING = String.raw`"(?:\\[^]|[^"\\\n])*"|'(?:\\[^]|[^'\\\n])*'`;
// A template in a template ends the outer one early and opens it again: the parity holds.
const TEMPLATE = "`(?:\\\\[^]|[^`\\\\])*`";
const REGEXP = String
  .raw`(?<=(?:^|[(,=:[!&|?{};+*%<>~^-]|\breturn|\bcase)\s*)\/(?![*\/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^\/\\\n[])+\/[a-z]*`;
const CLAUSE = String
  .raw`(?:type\b\s*)?(?:[\w$]+\s*,?\s*)?(?:\*(?:\s*as\s+[\w$]+)?|\{[^}]*\})?\s*from\s*`;
const STATIC = String
  .raw`(?<![.\w$])(?:import\s*(?:${CLAUSE})?|export\s*${CLAUSE})(?<static>"[^"\n]*"|'[^'\n]*')`;
const DYNAMIC = String.raw`(?<![.\w$])(?<dynamic>import\s*\(\s*)(?<target>"[^"\n]*"|'[^'\n]*')?`;

const TOKEN = new RegExp(
  [`(?<comment>${COMMENT})`, STATIC, DYNAMIC, `(?<text>${STRING}|${TEMPLATE}|${REGEXP})`].join("|"),
  "g",
);

/** Finds the imports of a source, and its code without what only looks like code. */
export function scanSource(source: string): ScannedSource {
  const imports: ModuleImport[] = [];
  const code = source.replace(TOKEN, (whole, ...rest) => {
    const groups = rest.at(-1) as Record<string, string | undefined>;
    if (groups["static"] !== undefined) {
      imports.push({ specifier: groups["static"].slice(1, -1), dynamic: false });
      return blank(whole);
    }
    if (groups["dynamic"] !== undefined) {
      imports.push({ specifier: groups["target"]?.slice(1, -1), dynamic: true });
      return blank(whole);
    }
    return groups["comment"] !== undefined
      ? blank(whole)
      : whole[0] + blank(whole.slice(1, -1)) + whole.at(-1);
  });
  return { imports, code };
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}
