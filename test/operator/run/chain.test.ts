/** O17: networks are chosen and read as libcni does. */
import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheText } from "../../../src/operator/run/cache-file.ts";
import { cachedChain, readChain } from "../../../src/operator/run/chain.ts";
import { testUnless } from "../../support/skip.ts";

const folder = mkdtempSync(join(tmpdir(), "chain-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, json: object) => writeFileSync(join(folder, name), JSON.stringify(json));
const typesOf = (name: string) => readChain(folder, name).plugins.map(({ type }) => type);

// Files are read by system calls of Linux.
const linuxTest = testUnless(process.platform === "linux" ? undefined : "not Linux");

linuxTest("O17: a list is preferred to a single configuration, and has the plugins of its folder", () => {
  write("10-a.conf", { name: "a", type: "loopback", cniVersion: "0.4.0" });
  write("20-a.conflist", { name: "a", cniVersion: "1.0.0", plugins: [{ type: "bridge" }] });
  expect(readChain(folder, "a")).toMatchObject({ cniVersion: "1.0.0", file: join(folder, "20-a.conflist") });
  expect(typesOf("a")).toEqual(["bridge"]);
  mkdirSync(join(folder, "a"));
  for (const type of ["portmap", "firewall"]) write(`a/${type}.conf`, { type });
  write("a/tuning.json", { type: "tuning" });
  expect(typesOf("a")).toEqual(["bridge", "firewall", "portmap"]);
  const inlined = { loadOnlyInlinedPlugins: true, name: "a", plugins: [{ type: "bridge" }] };
  write("20-a.conflist", inlined);
  expect(typesOf("a")).toEqual(["bridge"]);
  expect(cachedChain({ ...inlined, loadOnlyInlinedPlugins: false }, "f", folder).plugins).toHaveLength(3);
  write("a/tuning.conf", {});
  write("20-a.conflist", { ...inlined, loadOnlyInlinedPlugins: "false" });
  expect(() => readChain(folder, "a")).toThrow(/tuning.conf is not the configuration of a plugin/);
});

linuxTest("O17: libcni keeps a list as it is written, and a single configuration as a list of one", () => {
  const bytesOf = (name: string) => new TextDecoder().decode(readChain(folder, name).bytes);
  const single = { name: "single", type: "bridge", mtu: 1400 };
  write("30-single.conf", single);
  expect(JSON.parse(bytesOf("single"))).toEqual({ cniVersion: "", name: "single", plugins: [single] });
  const text = '{ "name": "list", "plugins": [{"type":"bridge"}],\n"cniVersion":"1.1.0" }';
  writeFileSync(join(folder, "40-list.conflist"), text);
  expect(bytesOf("list")).toBe(text);
});

linuxTest("O4, O17: a name that is not there is wrong use; with a broken file it cannot be told", () => {
  expect(() => readChain(folder, "x")).toThrow(expect.objectContaining({ exit: 2 }));
  writeFileSync(join(folder, "50-broken.conflist"), "{");
  const failure = expect.objectContaining({
    exit: 4,
    message: expect.stringContaining("50-broken.conflist"),
  });
  expect(() => readChain(folder, "x")).toThrow(failure);
});

test.each([
  [{}, "0.1.0"],
  [{ cniVersion: "" }, "0.1.0"],
  [{ cniVersion: "0.4.0" }, "0.4.0"],
  [{ cniVersion: "0.4.0", cniVersions: ["0.3.1", "1.0.0"] }, "1.0.0"],
  [{ cniVersion: "1.1.0", cniVersions: ["0.3.1", "1.0.0"] }, "1.1.0"],
  [{ cniVersions: ["0.3.1", "9.0.0", "0.4.0"] }, "0.4.0"],
] as const)("O17: the version of %j is %s", (keys, version) => {
  const list = { ...keys, name: "n", loadOnlyInlinedPlugins: true, plugins: [{ type: "bridge" }] };
  expect(cachedChain(list, "f", "/nowhere").cniVersion).toBe(version);
  const unknown = { ...list, cniVersion: "9.0.0", cniVersions: undefined };
  expect(() => cachedChain(unknown, "f", "/nowhere")).toThrow(/no version of "9.0.0" is known/);
});

test("O17: a file of the cache has libcni's fields in its order, without the empty ones", () => {
  const target = {
    network: "net",
    containerId: "c1",
    ifname: "eth0",
    netns: "/run/netns/c1",
    cniArgs: [["IP", "10.1.2.3"]],
    capabilityArgs: { mac: "02:00:00:00:00:01" },
  };
  const config = new TextEncoder().encode('{"a":1}');
  // As cachedInfo of its api.go is marshalled.
  expect(cacheText(target, config, { cniVersion: "1.0.0" })).toBe(
    '{"kind":"cniCacheV1","containerId":"c1","config":"eyJhIjoxfQ==","ifName":"eth0","networkName":"net","netns":"/run/netns/c1","cniArgs":[["IP","10.1.2.3"]],"capabilityArgs":{"mac":"02:00:00:00:00:01"},"result":{"cniVersion":"1.0.0"}}',
  );
  const bare = { ...target, netns: "", cniArgs: [], capabilityArgs: {} };
  expect(cacheText(bare, config, { cniVersion: "1.0.0" })).toBe(
    '{"kind":"cniCacheV1","containerId":"c1","config":"eyJhIjoxfQ==","ifName":"eth0","networkName":"net","result":{"cniVersion":"1.0.0"}}',
  );
});
