import { describe, expect, test } from "bun:test";
import { emptyResult, type Result } from "../../src/cni/result.ts";
import { formatResult } from "../../src/cni/result-format.ts";
import { parseResult } from "../../src/cni/result-parse.ts";
import { atLeast, SUPPORTED_VERSIONS, type Version } from "../../src/cni/version.ts";
import { parseIp } from "../../src/net/ip.ts";
import { prefix, someResult, thrownBy } from "./fake-host.ts";
import documents from "./golden/documents.json";
import goldens from "./golden/results.json";
import samples from "./golden/samples.json";

/** Results of the current version and of any version, by name. The goldens are the reference's output for them. */
const sources: Record<string, object> = { ...samples, ...documents };

test("the goldens are complete", () => {
  const count = Object.keys(samples).length * SUPPORTED_VERSIONS.length + Object.keys(documents).length;
  expect(goldens.length).toBe(count);
  expect(goldens.filter((golden) => golden.error !== undefined).length).toBe(4);
});

describe("A21, A22: byte for byte what the reference prints", () => {
  test.each(goldens.map((golden) => [golden.name, golden.version, golden] as const))(
    "%s as %s",
    (name, to, golden) => {
      const result = parseResult(sources[name], "golden", "0.1.0");
      const version = to as Version;
      if (golden.error === undefined) expect(formatResult(result, version)).toBe(`${golden.text}\n`);
      else expect(thrownBy(() => formatResult(result, version)).message).toBe(golden.error);
    },
  );
});

const full = (): Result => ({
  interfaces: [
    { name: "eth0", mac: "02:00:00:00:00:01", mtu: 1450, sandbox: "/n", socketPath: "/s", pciID: "1" },
  ],
  ips: [{ interface: 0, address: prefix("10.1.0.2/24") }],
  routes: [{ dst: prefix("0.0.0.0/0"), mtu: 1400, advmss: 1360, priority: 5, table: 0, scope: 0 }],
  dns: {},
});

describe("A21: fields of an interface that came with 1.1.0", () => {
  test.each([...SUPPORTED_VERSIONS])("%s", (version) => {
    const text = formatResult({ ...full(), routes: [] }, version);
    for (const field of ["mtu", "socketPath", "pciID"])
      expect(text.includes(`"${field}"`)).toBe(version === "1.1.0");
  });
});

describe("B23: a route's fields survive where libcni writes them", () => {
  test.each([...SUPPORTED_VERSIONS])("%s", (version) => {
    const text = formatResult({ ...full(), interfaces: [] }, version);
    for (const field of ["mtu", "advmss", "priority", "table", "scope"])
      expect(text.includes(`"${field}"`)).toBe(atLeast(version, "0.3.0"));
  });
});

test("A21: an empty dns is written before 1.0.0 only", () => {
  for (const version of SUPPORTED_VERSIONS) {
    expect("dns" in JSON.parse(formatResult(someResult(), version))).toBe(!atLeast(version, "1.0.0"));
  }
});

describe("A22: empty fields are left out", () => {
  test.each(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const)("%s", (version) => {
    const nothing = { ...emptyResult(), dns: { nameservers: [], domain: "", search: [], options: [] } };
    const dns = atLeast(version, "1.0.0") ? {} : { dns: {} };
    expect(JSON.parse(formatResult(nothing, version))).toEqual({ cniVersion: version, ...dns });
    const host = { ...emptyResult(), interfaces: [{ name: "cni0", mac: "", sandbox: "", mtu: 0 }] };
    expect(JSON.parse(formatResult(host, version)).interfaces).toEqual([{ name: "cni0" }]);
  });
});

test("A21: 0.1.0 and 0.2.0 can't express a result without an address", () => {
  for (const version of ["0.1.0", "0.2.0"] as const) {
    const error = thrownBy(() => formatResult({ ...full(), ips: [] }, version));
    expect(error).toMatchObject({ code: 999, message: "cannot convert: no valid IP addresses", details: "" });
    expect(error.remark).toContain(version);
  }
});

test("A21: 0.2.0 has the first address and the routes of each family", () => {
  const result: Result = {
    ...full(),
    ips: ["fd00::2/64", "10.1.0.2/24", "10.2.0.2/24", "fd01::2/64"].map((text) => ({
      address: prefix(text),
    })),
    routes: ["::/0", "0.0.0.0/0", "10.9.0.0/16"].map((text) => ({ dst: prefix(text) })),
  };
  expect(JSON.parse(formatResult(result, "0.2.0"))).toEqual({
    cniVersion: "0.2.0",
    ip4: { ip: "10.1.0.2/24", routes: [{ dst: "0.0.0.0/0" }, { dst: "10.9.0.0/16" }] },
    ip6: { ip: "fd00::2/64", routes: [{ dst: "::/0" }] },
    dns: {},
  });
});

test("formatting does not change the result", () => {
  const gateway = parseIp("10.1.0.1");
  if (gateway === undefined) throw new Error("no address");
  const make = (): Result => ({
    ...full(),
    ips: [{ interface: 0, address: prefix("10.1.0.2/24"), gateway }],
  });
  const result = make();
  for (const version of SUPPORTED_VERSIONS) formatResult(result, version);
  expect(result).toEqual(make());
});
