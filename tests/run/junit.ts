/** One test, as a runtime reported it. */
export interface TestCase {
  /** Its names from the outermost group inwards, joined by ` > `. */
  readonly name: string;
  /** The test file; under Deno a module of its own for what is nested in a group. */
  readonly file: string;
  /** How it ended. */
  readonly outcome: "passed" | "failed" | "skipped";
  /** What the runtime says of a failure. */
  readonly detail: string;
}

/** What a report says. */
export interface JunitReport {
  /** Its single tests. */
  readonly tests: readonly TestCase[];
  /** The files, or what stands for them, in which it saw a test or group. */
  readonly files: ReadonlySet<string>;
  /** How long each file took, in seconds; Deno, which names other files, says it in its output. */
  readonly seconds: ReadonlyMap<string, number>;
}

const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

const TAG = /<(\/?)([A-Za-z][\w:.-]*)((?:\s+[\w:.-]+="[^"]*")*)\s*(\/?)>/g;

/**
 * Reads a JUnit report as Deno, Bun and Node write it.
 *
 * Only single tests count. Bun and Node nest groups as `testsuite`; Deno lists
 * a group as a test like others, with its members named `group > member`, so
 * that a name which begins others is a group. A group that failed though none
 * of its members did (a hook threw) stays, as a failure.
 */
export function parseJunit(xml: string): JunitReport {
  const text = xml.replace(/<!\[CDATA\[[^]*?\]\]>|<!--[^]*?-->/g, "");
  const suites: { name: string; file: string; time: number }[] = [];
  const seconds = new Map<string, number>();
  const spend = (file: string, time: number): void => {
    seconds.set(file, (seconds.get(file) ?? 0) + time);
  };
  const cases: TestCase[] = [];
  let open: { -readonly [K in keyof TestCase]: TestCase[K] } | undefined;
  let detailFrom: number | undefined;
  for (const tag of text.matchAll(TAG)) {
    const [whole, closing, element, rawAttributes = "", selfClosing] = tag;
    const ended = closing === "/" || selfClosing === "/";
    const attributes = readAttributes(rawAttributes);
    if (element === "testsuite") {
      if (closing === "/") {
        const suite = suites.pop();
        // Node names the file of a test only, Bun that of a suite, too.
        const file = isFile(suite?.file ?? "") ? suite?.file : cases.at(-1)?.file;
        if (suite !== undefined && suites.length === 0) spend(file ?? suite.name, suite.time);
      } else if (selfClosing !== "/") {
        const name = attributes["name"] ?? "";
        suites.push({ name, file: attributes["file"] ?? name, time: timeOf(attributes) });
      }
    } else if (element === "testcase") {
      if (closing !== "/") {
        const groups = suites.filter(({ name }) => !isFile(name)).map(({ name }) => name);
        open = {
          name: [...groups, attributes["name"] ?? ""].join(" > "),
          file: attributes["file"] ?? suites[0]?.file ?? "",
          outcome: "passed",
          detail: "",
        };
        if (suites.length === 0) spend(open.file, timeOf(attributes));
      }
      if (ended && open !== undefined) {
        cases.push(open);
        open = undefined;
      }
    } else if (open !== undefined && element === "skipped") {
      open.outcome = "skipped";
    } else if (open !== undefined && (element === "failure" || element === "error")) {
      if (closing !== "/") {
        open.outcome = "failed";
        open.detail = attributes["message"] ?? "";
        detailFrom = selfClosing === "/" ? undefined : tag.index + whole.length;
      } else if (detailFrom !== undefined) {
        const body = decode(text.slice(detailFrom, tag.index)).trim();
        if (body !== "") open.detail = body;
        detailFrom = undefined;
      }
    }
  }
  return { tests: dropGroups(cases), files: new Set(cases.map(({ file }) => file)), seconds };
}

function dropGroups(cases: readonly TestCase[]): TestCase[] {
  const failedIn = new Map<string, boolean>();
  for (const { name, outcome } of cases) {
    for (let at = name.lastIndexOf(" > "); at > 0; at = name.lastIndexOf(" > ", at - 1)) {
      const group = name.slice(0, at);
      failedIn.set(group, failedIn.get(group) === true || outcome === "failed");
    }
  }
  return cases.filter(({ name, outcome }) =>
    !failedIn.has(name) || (outcome === "failed" && failedIn.get(name) === false)
  );
}

/** The runtimes name the outermost suite after its file, or after their own module for nested tests. */
function isFile(name: string): boolean {
  return /\.[cm]?[jt]s$/.test(name);
}

function timeOf(attributes: Record<string, string>): number {
  return Number(attributes["time"] ?? 0);
}

function readAttributes(raw: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name = "", value = ""] of raw.matchAll(/([\w:.-]+)="([^"]*)"/g)) {
    attributes[name] = decode(value);
  }
  return attributes;
}

function decode(text: string): string {
  return text.replace(/&(#x[\da-f]+|#\d+|\w+);/gi, (whole, name: string) => {
    if (name[0] !== "#") return ENTITIES[name] ?? whole;
    const code = name[1] === "x" ? parseInt(name.slice(2), 16) : parseInt(name.slice(1), 10);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
