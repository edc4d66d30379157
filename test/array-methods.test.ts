import { afterAll, describe, expect, test } from "bun:test";
import fc from "fast-check";

const NAMES = ["map", "forEach", "filter", "some", "every", "find", "findIndex", "flatMap"] as const;
type Name = (typeof NAMES)[number];
type Method = (this: unknown[], callback: (...given: unknown[]) => unknown, self?: unknown) => unknown;

const methods = Array.prototype as unknown as Record<Name, Method>;
const own = new Map(NAMES.map((name) => [name, methods[name]]));
await import("../src/array-methods.ts");
const ours = new Map(NAMES.map((name) => [name, methods[name]]));

afterAll(() => {
  for (const [name, method] of own) methods[name] = method;
});

/** What a method returns, and what it gave to the callback. */
function seen(method: Method | undefined, list: readonly unknown[], answers: readonly unknown[]) {
  const calls: unknown[] = [];
  const subject = [...list];
  // A hole stays one: spreading would have filled it.
  for (const index of list.keys()) if (!(index in list)) delete subject[index];
  const self = { self: true };
  const result = method?.call(
    subject,
    function (this: unknown, ...given: unknown[]) {
      calls.push([this === self, given[0], given[1], given[2] === subject, given.length]);
      return answers[calls.length % answers.length];
    },
    self,
  );
  const holes = Array.isArray(result) ? [...result.keys()].filter((index) => !(index in result)) : [];
  return { result, holes, calls };
}

const value = fc.oneof(fc.integer(), fc.string(), fc.constant(undefined), fc.boolean());
const answer = fc.oneof(fc.boolean(), fc.integer(), fc.array(value, { maxLength: 3 }), fc.sparseArray(value));

describe.each(NAMES)("%s", (name) => {
  test("is replaced, and stays out of sight", () => {
    expect(ours.get(name)).not.toBe(own.get(name));
    expect(ours.get(name)?.name).toBe(name);
    expect(Object.getOwnPropertyDescriptor(Array.prototype, name)).toMatchObject({
      enumerable: false,
      writable: true,
      configurable: true,
    });
  });

  test("does what the engine's own does, holes included", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.array(value), fc.sparseArray(value, { maxLength: 8 })),
        fc.array(answer, { minLength: 1, maxLength: 4 }),
        (list, answers) => {
          expect(seen(ours.get(name), list, answers)).toEqual(seen(own.get(name), list, answers));
        },
      ),
    );
  });

  test("takes no notice of what the callback appends", () => {
    const grown = (method: Method | undefined) => {
      const list: unknown[] = [1, 2];
      let calls = 0;
      method?.call(list, () => {
        list.push(3);
        calls++;
        return name === "every";
      });
      return calls;
    };
    expect(grown(ours.get(name))).toBe(grown(own.get(name)));
  });
});
