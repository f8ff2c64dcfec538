/** A value that a serializer must refuse, and the words in which it does. */
export interface Refused {
  readonly value: unknown;
  readonly what: string;
  readonly path: string;
  readonly remedy: string;
}

class Point {
  x = 1;
}

/** What neither JSON nor MessagePack carries, each with the path that the error must name. */
export function refusedByTextFormats(format: string): Refused[] {
  const structured = ': use serializationFormat "structured"';
  const cycle: { user: { tags: unknown[] } } = { user: { tags: [1] } };
  cycle.user.tags.push(cycle);
  const wideCycle: unknown[] = Array.from({ length: 100_000 }, () => 0);
  wideCycle.push(wideCycle);
  const getter = {
    get x(): number {
      throw new Error(`${format} must not call getters`);
    },
  };
  const table: readonly [value: unknown, what: string, path: string, remedy: string][] = [
    [undefined, "undefined", "$", structured],
    [{ user: { tags: [1, 2, 3, undefined] } }, "undefined", "$.user.tags[3]", structured],
    [{ a: undefined }, "undefined", "$.a", structured],
    [[[1, -0]], "-0", "$[0][1]", structured],
    [{ big: [1n] }, "a BigInt", "$.big[0]", structured],
    [new Map(), "an instance of Map", "$", structured],
    [[new Set()], "an instance of Set", "$[0]", structured],
    [{ r: /x/ }, "an instance of RegExp", "$.r", structured],
    [{ v: Float32Array.of(1) }, "an instance of Float32Array", "$.v", structured],
    [{ v: new ArrayBuffer(1) }, "an instance of ArrayBuffer", "$.v", structured],
    [[new Uint8Array(new SharedArrayBuffer(1))], "an instance of Uint8Array", "$[0]", ""],
    [{ o: Object.create(null) }, "an object without prototype", "$.o", structured],
    [[1, , 3], "a hole", "$[1]", structured],
    [cycle, "a cycle", "$.user.tags[1]", structured],
    [wideCycle, "a cycle", "$[100000]", structured],
    [() => 1, "a function", "$", ""],
    [{ toJSON: () => 1 }, "a function", "$.toJSON", ""],
    [{ s: Symbol("s") }, "a symbol", "$.s", ""],
    [{ a: { [Symbol("s")]: 1 } }, "an object with a symbol as key", "$.a", ""],
    [{ a: [new Point()] }, "an instance of Point", "$.a[0]", ""],
    [Object.create({ x: 1 }), "an instance of Object", "$", ""],
    [new (class {})(), "a class instance", "$", ""],
    [new (class extends Date {})(), "a class instance", "$", ""],
    [Object.create(Date.prototype), "an instance of Date", "$", ""],
    [[Object("boxed")], "an instance of String", "$[0]", ""],
    [new Error("e"), "an instance of Error", "$", ""],
    [[getter], "a getter", "$[0].x", ""],
    [Object.defineProperty({}, "x", { value: 1 }), "an object with a hidden property", "$", ""],
    [Object.assign(["a"], { index: 0 }), "a named property of an array", "$.index", ""],
    [Object.assign([1], { [Symbol("s")]: 0 }), "an array with a symbol as key", "$", ""],
    [{ 'say "hi"': [() => 1] }, "a function", '$["say \\"hi\\""][0]', ""],
    [{ ["n".repeat(50)]: () => 1 }, "a function", `$["${"n".repeat(40)}…"]`, ""],
  ];
  return table.map(([value, what, path, remedy]) => ({ value, what, path, remedy }));
}
