import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseJunit } from "./junit.ts";

const DENO = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="5" failures="1" errors="0" time="0.1">
  <testsuite name="./tests/a_test.ts" tests="3" disabled="0" errors="0" failures="1">
    <testcase name="plain" classname="./tests/a_test.ts" time="0.001" line="4" col="1">
    </testcase>
    <testcase name="group" classname="./tests/a_test.ts" time="0.004" line="5" col="1">
    </testcase>
    <testcase name="says &lt;x&gt; &amp; &quot;y&quot;" classname="./tests/a_test.ts" time="0.0">
      <failure message="Uncaught
two lines">AssertionError: 1 &lt; 2</failure>
    </testcase>
  </testsuite>
  <testsuite name="ext:deno_node/testing.ts" tests="2" disabled="0" errors="0" failures="0">
    <testcase name="group &gt; inner" classname="ext:deno_node/testing.ts" time="0.001">
    </testcase>
    <testcase name="group &gt; inner &gt; deep" classname="ext:deno_node/testing.ts" time="0.001">
    </testcase>
  </testsuite>
</testsuites>`;

const BUN = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="3" assertions="0" failures="1" skipped="1" time="0.1">
  <testsuite name="tests/a_test.ts" file="tests/a_test.ts" tests="3" failures="1" skipped="1">
    <testcase name="plain" classname="" time="0.001" file="tests/a_test.ts" line="4" />
    <testsuite name="group" file="tests/a_test.ts" line="5" tests="1" failures="1" skipped="0">
      <testsuite name="inner" file="tests/a_test.ts" line="5" tests="1" failures="1" skipped="0">
        <testcase name="deep" classname="inner &gt; group" time="0" file="tests/a_test.ts" line="5">
          <failure type="AssertionError" message="one&#10;two" />
        </testcase>
      </testsuite>
    </testsuite>
    <testcase name="later" classname="" time="0" file="tests/a_test.ts" line="9">
      <skipped message="later" />
    </testcase>
  </testsuite>
</testsuites>`;

const NODE = `<?xml version="1.0" encoding="utf-8"?>
<testsuites>
  <testcase name="has &lt;x> in it" time="0.0007" classname="test" file="/w/tests/a_test.ts"/>
  <testsuite name="group" time="0.001" disabled="0" errors="0" tests="1" failures="0" skipped="0">
    <testcase name="deep" time="0.0002" classname="group" file="/w/tests/a_test.ts"/>
  </testsuite>
  <testcase name="off" time="0.0006" classname="test" file="/w/tests/b_test.ts">
    <skipped type="skipped" message="true"/>
  </testcase>
  <!-- pass 2 <testcase name="not one"/> -->
</testsuites>`;

const passed = (name: string, file: string): unknown => ({
  name,
  file,
  outcome: "passed",
  detail: "",
});

describe("parseJunit()", () => {
  it("counts single tests and no groups in a report of Deno", () => {
    assert.deepEqual(parseJunit(DENO).tests, [
      passed("plain", "./tests/a_test.ts"),
      {
        name: 'says <x> & "y"',
        file: "./tests/a_test.ts",
        outcome: "failed",
        detail: "AssertionError: 1 < 2",
      },
      passed("group > inner > deep", "ext:deno_node/testing.ts"),
    ]);
  });

  it("names tests by their groups in a report of Bun", () => {
    assert.deepEqual(parseJunit(BUN).tests, [
      passed("plain", "tests/a_test.ts"),
      {
        name: "group > inner > deep",
        file: "tests/a_test.ts",
        outcome: "failed",
        detail: "one\ntwo",
      },
      { name: "later", file: "tests/a_test.ts", outcome: "skipped", detail: "" },
    ]);
  });

  it("reads a report of Node without its comments", () => {
    assert.deepEqual(parseJunit(NODE).tests, [
      passed("has <x> in it", "/w/tests/a_test.ts"),
      passed("group > deep", "/w/tests/a_test.ts"),
      { name: "off", file: "/w/tests/b_test.ts", outcome: "skipped", detail: "" },
    ]);
  });

  it("keeps a group that failed when none of its members did", () => {
    const failing = DENO.replace(
      /(<testcase name="group"[^>]*>)/,
      '$1<failure message="hook threw">hook threw</failure>',
    );
    const group = parseJunit(failing).tests.find(({ name }) => name === "group");
    assert.equal(group?.outcome, "failed");
    assert.equal(group?.detail, "hook threw");
  });

  it("lists the files also of groups", () => {
    const xml = DENO.replace(/<testcase name="(plain|says)[^]*?<\/testcase>/g, "");
    assert.ok(parseJunit(xml).files.has("./tests/a_test.ts"));
  });

  it("sums the seconds of each file in reports of Bun and Node", () => {
    const bun = BUN.replace(
      'failures="1" skipped="1">\n    <testcase name="plain"',
      'time="2.5">\n    <testcase name="plain"',
    );
    assert.deepEqual([...parseJunit(bun).seconds], [["tests/a_test.ts", 2.5]]);
    assert.deepEqual([...parseJunit(NODE).seconds], [
      ["/w/tests/a_test.ts", 0.0007 + 0.001],
      ["/w/tests/b_test.ts", 0.0006],
    ]);
  });

  it("finds nothing in an empty or cut report", () => {
    assert.deepEqual(parseJunit("").tests, []);
    assert.deepEqual(parseJunit(NODE.slice(0, 60)).tests, []);
  });
});
