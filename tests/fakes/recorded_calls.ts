/** One call of a method. */
export interface RecordedCall {
  readonly method: string;
  readonly parameters: readonly unknown[];
}

/** An object that does what another does and writes down which of its methods were called. */
export function recordCalls<T extends object>(target: T): { recorded: T; calls: RecordedCall[] } {
  const calls: RecordedCall[] = [];
  const recorded = new Proxy(target, {
    get(_, property): unknown {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== "function") return member;
      return (...parameters: unknown[]): unknown => {
        calls.push({ method: String(property), parameters });
        return member.apply(target, parameters);
      };
    },
  });
  return { recorded, calls };
}
