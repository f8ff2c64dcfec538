import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge, passesOf, timeFiles } from "./suite.ts";

const FILES = ["tests/a_test.ts", "tests/b_test.ts"];
const ENDED_WELL = { code: 0, trouble: undefined, output: "" };

function report(...cases: readonly string[]): string {
  return `<testsuites>${cases.join("")}</testsuites>`;
}

function testcase(file: string, name = "works", inside = ""): string {
  return `<testcase name="${name}" file="${file}">${inside}</testcase>`;
}

describe("judge()", () => {
  it("counts a run in which every file reported a test that passed", () => {
    const xml = report(...FILES.map((file) => testcase(file)));
    assert.deepEqual(judge("node", xml, FILES, ENDED_WELL), { passed: 2, failures: [] });
  });

  it("fails a skipped test", () => {
    const xml = report(testcase(FILES[0]!), testcase(FILES[1]!, "off", "<skipped/>"));
    const { passed, failures } = judge("node", xml, FILES, ENDED_WELL);
    assert.equal(passed, 1);
    assert.deepEqual(failures.map(({ title }) => title), ["off (tests/b_test.ts)"]);
  });

  it("fails a file that is not in the report", () => {
    const { passed, failures } = judge("bun", report(testcase(FILES[0]!)), FILES, ENDED_WELL);
    assert.equal(passed, 1);
    assert.deepEqual(failures.map(({ title }) => title), ["tests/b_test.ts"]);
  });

  it("finds in Deno's output the files whose tests another file made", () => {
    const xml = report(testcase("./tests/suite.ts"));
    const parallel = "./tests/a_test.ts => works ... ok\n";
    const alone = "running 2 tests from ./tests/b_test.ts\nworks ... ok\n";
    const seen = judge("deno", xml, FILES, { ...ENDED_WELL, output: parallel + alone });
    assert.deepEqual(seen.failures, []);
    const missed = judge("deno", xml, FILES, { ...ENDED_WELL, output: parallel });
    assert.deepEqual(missed.failures.map(({ title }) => title), ["tests/b_test.ts"]);
  });

  it("fails a file that Node lists as a test because it registered none", () => {
    const xml = report(testcase(FILES[0]!), testcase(FILES[1]!, FILES[1]!));
    const { passed, failures } = judge("node", xml, FILES, ENDED_WELL);
    assert.equal(passed, 1);
    assert.match(failures[0]?.detail ?? "", /reported no test/);
  });

  it("fails a run that ends with an exit code which the report does not explain", () => {
    const xml = report(...FILES.map((file) => testcase(file)));
    const { failures } = judge("node", xml, FILES, {
      ...ENDED_WELL,
      code: 1,
      output: "late error",
    });
    assert.equal(failures.length, 1);
    assert.match(failures[0]?.detail ?? "", /exit code 1\nlate error/);
  });

  it("fails a run that was killed, also when all its reported tests passed", () => {
    const xml = report(...FILES.map((file) => testcase(file)));
    const killed = { code: undefined, trouble: "was killed", output: "" };
    assert.match(judge("node", xml, FILES, killed).failures[0]?.detail ?? "", /was killed/);
  });

  it("fails every file when there is no report", () => {
    const { passed, failures } = judge("bun", "", FILES, {
      ...ENDED_WELL,
      code: 1,
      output: "no such flag",
    });
    assert.equal(passed, 0);
    assert.equal(failures.length, 2);
    assert.match(failures[1]?.detail ?? "", /no such flag/);
  });
});

describe("passesOf()", () => {
  const codec = "tests/codecs/lz4_test.ts";
  const hostile = "tests/backends/object_store/hostile_objects_test.ts";
  const other = "tests/run/suite_test.ts";

  it("gives what looks at the memory of its process one in which nothing else runs", () => {
    for (const runtime of ["deno", "bun"] as const) {
      assert.deepEqual(passesOf(runtime, [codec, other, hostile]), [
        { files: [other], parallel: true },
        { files: [codec, hostile], parallel: false },
      ]);
    }
  });

  it("leaves on Node, where each file has a process, all files together", () => {
    const files = [codec, other, hostile];
    assert.deepEqual(passesOf("node", files), [{ files, parallel: true }]);
  });

  it("runs no command without files", () => {
    assert.deepEqual(passesOf("bun", [other]), [{ files: [other], parallel: true }]);
    assert.deepEqual(passesOf("bun", [codec]), [{ files: [codec], parallel: false }]);
  });
});

describe("timeFiles()", () => {
  it("puts the slowest file first", () => {
    const xml = report(
      `<testcase name="a" time="1" file="/w/${FILES[0]}"/>`,
      `<testcase name="b" time="2" file="/w/${FILES[1]}"/>`,
    );
    assert.deepEqual(timeFiles("node", xml, FILES, ""), [
      { file: FILES[1], seconds: 2 },
      { file: FILES[0], seconds: 1 },
    ]);
  });

  it("reads what Deno says of outermost tests only", () => {
    const output = [
      "./tests/a_test.ts => group ... inner ... ok (40ms)",
      "./tests/a_test.ts => group ... ok (250ms)",
      "./tests/a_test.ts => other ... FAILED (750ms)",
      "./tests/b_test.ts => alone ... ok (1m2s)",
    ].join("\n");
    assert.deepEqual(timeFiles("deno", "", FILES, output), [
      { file: "tests/b_test.ts", seconds: 62 },
      { file: "tests/a_test.ts", seconds: 1 },
    ]);
  });
});
