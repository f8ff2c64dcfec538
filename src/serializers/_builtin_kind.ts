/** Built-in objects that are plain data. */
export type BuiltinKind = "Map" | "Set" | "Date" | "RegExp";

/** Tells what an object is by its making: one that only inherits from a prototype is none. */
export function builtinKind(value: object): BuiltinKind | undefined {
  try {
    switch (Object.getPrototypeOf(value)) {
      case Map.prototype:
        return (value as Map<unknown, unknown>).size >= 0 ? "Map" : undefined;
      case Set.prototype:
        return (value as Set<unknown>).size >= 0 ? "Set" : undefined;
      case Date.prototype:
        return typeof (value as Date).getTime() === "number" ? "Date" : undefined;
      case RegExp.prototype:
        return typeof (value as RegExp).source === "string" ? "RegExp" : undefined;
      default:
        return undefined;
    }
  } catch {
    // Each of these getters and methods throws a TypeError for what is not of its kind.
    return undefined;
  }
}
