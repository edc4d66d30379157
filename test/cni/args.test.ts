import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseCniArgs } from "../../src/cni/args.ts";
import { thrownBy } from "./fake-host.ts";

const messageFor = (text: string): string => {
  const error = thrownBy(() => parseCniArgs(text));
  expect(error.code).toBe(4);
  return error.message;
};

describe("A50: pairs", () => {
  test("an empty text has no pairs", () => {
    expect(parseCniArgs("")).toEqual({});
  });

  test("values by key; the last of two counts; a value may be empty", () => {
    expect(parseCniArgs("IP=10.0.0.1;MAC=")).toEqual({ IP: "10.0.0.1", MAC: "" });
    expect(parseCniArgs("IP=a;IP=b")).toEqual({ IP: "b" });
  });

  test.each([";", "IP=a;", ";IP=a", "IP=a;;MAC=b", "IP", "IP=a=b", " "])("%j has an invalid pair", (text) => {
    expect(messageFor(text)).toStartWith("ARGS: invalid pair ");
  });

  test("the error quotes the pair", () => {
    expect(messageFor("IP=1;oops;MAC=2")).toContain('invalid pair "oops"');
  });
});

describe("A51: unknown keys", () => {
  test("are an error that names all of them and the known keys", () => {
    expect(messageFor("A=1;IP=2;B=3")).toStartWith('ARGS: unknown args ["A=1" "B=3"]');
    expect(messageFor("A=1")).toContain("IP, GATEWAY, MAC, IgnoreUnknown");
  });

  test.each(["1", "true", "TRUE", "True"])("are accepted with IgnoreUnknown=%s, in any order", (yes) => {
    expect(parseCniArgs(`A=1;IgnoreUnknown=${yes};IP=2`)).toEqual({ IP: "2" });
    expect(parseCniArgs(`IgnoreUnknown=${yes};A=1`)).toEqual({});
  });

  test.each(["0", "false", "False"])("are an error with IgnoreUnknown=%s", (no) => {
    expect(messageFor(`A=1;IgnoreUnknown=${no}`)).toContain("unknown args");
  });

  test.each(["", "yes", "2"])("IgnoreUnknown=%s is an error", (value) => {
    expect(messageFor(`IgnoreUnknown=${value}`)).toContain("error parsing value of pair");
  });

  test("A50: keys are case-sensitive", () => {
    expect(messageFor("ip=1")).toContain('unknown args ["ip=1"]');
    expect(messageFor("IP=1;ignoreunknown=1")).toContain('unknown args ["ignoreunknown=1"]');
  });

  test("what containerd sends is accepted", () => {
    const text =
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=a;K8S_POD_INFRA_CONTAINER_ID=b;K8S_POD_UID=c";
    expect(parseCniArgs(text)).toEqual({});
  });

  test("keys that JavaScript objects inherit are unknown like any other", () => {
    expect(messageFor("__proto__=1;constructor=2")).toContain('unknown args ["__proto__=1" "constructor=2"]');
  });
});

test("A50: any pairs of known keys come back", () => {
  const value = fc.string().filter((text) => !/[;=]/.test(text));
  fc.assert(
    fc.property(fc.record({ IP: value, GATEWAY: value, MAC: value }, { requiredKeys: [] }), (values) => {
      const text = Object.entries(values)
        .map(([key, each]) => `${key}=${each}`)
        .join(";");
      expect(parseCniArgs(text)).toEqual(values);
    }),
  );
});

test("A50: any text gives values or an error with code 4", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("I", "P", "=", ";", "1", "é", "IP=1", "IgnoreUnknown") }),
      (text) => {
        let values: Readonly<Record<string, string>>;
        try {
          values = parseCniArgs(text);
        } catch {
          expect(thrownBy(() => parseCniArgs(text)).code).toBe(4);
          return;
        }
        for (const [key, each] of Object.entries(values)) expect(text.split(";")).toContain(`${key}=${each}`);
      },
    ),
  );
});
