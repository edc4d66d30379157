/** The keys of tuning, and which file each sysctl is. */
import { describe, expect, test } from "bun:test";
import type { CniError } from "../../../src/cni/error.ts";
import { toCniError } from "../../../src/cni/error.ts";
import { parseTuning, type TuningConfig } from "../../../src/plugins/tuning/config.ts";
import { sameValue } from "../../../src/plugins/tuning/sysctls.ts";
import { requestOf } from "../../support/host-local-call.ts";

const MAC = "02:00:5e:10:00:0a";

const requestFor = (keys: object | string, args = "", ifname = "eth0") => ({
  ...requestOf("ADD", { config: JSON.parse(documentOf(keys)) as object, args, ifname }),
  stdin: new TextEncoder().encode(documentOf(keys)),
});

/** Text is put into the document as it is. */
const documentOf = (keys: object | string): string =>
  typeof keys === "string"
    ? `{"cniVersion": "1.1.0", "name": "net", "type": "tuning", ${keys}}`
    : JSON.stringify({ cniVersion: "1.1.0", name: "net", type: "tuning", ...keys });

const parsed = (...given: Parameters<typeof requestFor>): Promise<TuningConfig> =>
  parseTuning(requestFor(...given));

async function failure(...given: Parameters<typeof requestFor>): Promise<CniError> {
  try {
    await parsed(...given);
  } catch (error) {
    return toCniError(error);
  }
  throw new Error("it did not fail");
}

const NOTHING = { sysctls: [], link: {}, dataDir: "/run/cni/tuning" };

describe("T1: keys", () => {
  test("have defaults that change nothing", async () => {
    expect(await parsed({})).toEqual(NOTHING);
    expect(await parsed({ promisc: false, mtu: 0, mac: "", sysctl: {}, args: { cni: {} } })).toEqual(NOTHING);
  });

  test("all together", async () => {
    const keys = {
      mac: "02-00-5E-10-00-0A",
      promisc: true,
      mtu: 1400,
      allmulti: false,
      txQLen: 0,
      dataDir: "/x",
    };
    expect(await parsed(keys)).toEqual({
      sysctls: [],
      link: { mac: MAC, promisc: true, mtu: 1400, allmulti: false, txQLen: 0 },
      dataDir: "/x",
    });
  });

  test.each<[string, object | string, RegExp, number]>([
    [
      "a sysctl that is a number",
      { sysctl: { "net.ipv4.ip_forward": 1 } },
      /key "sysctl\.net\.ipv4\.ip_forward" must be a string, not 1/,
      6,
    ],
    [
      "a sysctl of args that is a number",
      { args: { cni: { sysctl: { "net.x.y": 1 } } } },
      /key "args\.cni\.sysctl\.net\.x\.y" must be a string/,
      6,
    ],
    ["sysctl that is a list", { sysctl: [] }, /key "sysctl" must be an object/, 6],
    ["a mac of eight bytes", { mac: `${MAC}:00:00` }, /invalid MAC address/, 7],
    [
      "a group address",
      { args: { cni: { mac: "01:00:5e:00:00:01" } } },
      /invalid MAC address .*args\.cni\.mac/,
      7,
    ],
    ["an mtu below 0", { mtu: -1 }, /invalid mtu -1 \(must be between 0 and 2147483647\)/, 7],
    ["a queue below 0", { txQLen: -1 }, /invalid txQLen -1/, 7],
    [
      "an mtu of args as text",
      { args: { cni: { mtu: "1" } } },
      /key "args\.cni\.mtu" must be a whole number/,
      6,
    ],
    ["allmulti as text", { allmulti: "yes" }, /key "allmulti" must be true or false/, 6],
    [
      "T5: a sysctl twice",
      '"sysctl": {"net.a.b": "1", "net.c.d": "2", "net.\\u0061.b": "1"}',
      /duplicated sysctl keys are not allowed: "net\.a\.b" is there twice/,
      7,
    ],
    [
      "T5: a sysctl in two spellings",
      { sysctl: { "net.a.b": "1", "net/a/b": "2" } },
      /duplicated sysctl keys are not allowed: "net\.a\.b" and "net\/a\/b" are the same/,
      7,
    ],
    [
      "T6: a sysctl outside of net",
      { sysctl: { "kernel.shmmax": "1" } },
      /invalid net sysctl key: "kernel\/shmmax"/,
      7,
    ],
    ["T6: net itself", { sysctl: { net: "1" } }, /invalid net sysctl key: "net"/, 7],
    ["T6: a name that begins with net", { sysctl: { "network.x": "1" } }, /invalid net sysctl key/, 7],
    ["T6: an empty key", { sysctl: { "": "1" } }, /invalid net sysctl key: ""/, 7],
    ["T6: a key with a NUL", { sysctl: { "net.a\0": "1" } }, /invalid net sysctl key/, 7],
  ])("refused: %s", async (_what, keys, message, errorCode) => {
    expect(await failure(keys)).toMatchObject({ code: errorCode, message: expect.stringMatching(message) });
  });

  test("T3: an unknown key of CNI_ARGS is an error", async () => {
    expect((await failure({}, "COLOUR=red")).message).toContain('unknown args ["COLOUR=red"]');
    expect(await parsed({}, "COLOUR=red;IgnoreUnknown=1;IP=10.0.0.1")).toEqual(NOTHING);
  });
});

const mac = (last: number): string => `02:00:5e:10:00:0${last}`;

describe("T2, T37: the MAC address", () => {
  const [argument, runtime, variable, own] = [mac(1), mac(2), mac(3), mac(4)];
  test.each([
    [
      { args: { cni: { mac: argument } }, runtimeConfig: { mac: runtime }, mac: own },
      `MAC=${variable}`,
      argument,
    ],
    [{ runtimeConfig: { mac: runtime }, mac: own }, `MAC=${variable}`, runtime],
    [{ mac: own }, `MAC=${variable}`, variable],
    [{ mac: own }, "", own],
  ])("%j, %p", async (keys, args, expected) => {
    expect((await parsed(keys, args)).link).toEqual({ mac: expected });
  });
});

test("T2: args.cni beats the other settings", async () => {
  const keys = { promisc: true, mtu: 1400, allmulti: true, txQLen: 7 };
  const cni = { promisc: false, mtu: 0, allmulti: false, txQLen: 0 };
  expect((await parsed({ ...keys, args: { cni } })).link).toEqual({ allmulti: false, txQLen: 0 });
});

describe("sysctls", () => {
  const paths = async (...given: Parameters<typeof requestFor>) =>
    (await parsed(...given)).sysctls.map(({ path, name, value }) => `${path} ${name} ${value}`);

  test("T6, T30: their files, in the order in which they are written", async () => {
    const sysctl = {
      "net.ipv4.conf.IFNAME.arp_filter": "1",
      "net/ipv4/conf/IFNAME/rp_filter": "2",
      "net..core.somaxconn": "3",
      "net.ipv4.conf.IFNAME.IFNAME": "4",
    };
    expect(await paths({ sysctl }, "", "eth0.5")).toEqual([
      "/proc/sys/net/ipv4/conf/eth0.5/arp_filter net.ipv4.conf.IFNAME.arp_filter 1",
      "/proc/sys/net/ipv4/conf/eth0.5/rp_filter net.ipv4.conf.IFNAME.rp_filter 2",
      "/proc/sys/net/core/somaxconn net.core.somaxconn 3",
      "/proc/sys/net/ipv4/conf/eth0.5/IFNAME net.ipv4.conf.IFNAME.IFNAME 4",
    ]);
    expect(await paths({ sysctl: { "net.ipv4.conf.IFNAME.x": "1" } }, "", "$&")).toEqual([
      "/proc/sys/net/ipv4/conf/$&/x net.ipv4.conf.IFNAME.x 1",
    ]);
  });

  test("T2: those of args.cni take the place of the same file, or follow", async () => {
    const sysctl = { "net.a.b": "1", "net.c.d": "2" };
    const args = { cni: { sysctl: { "net/a/b": "3", "net.e.f": "4" } } };
    expect(await paths({ sysctl, args })).toEqual([
      "/proc/sys/net/a/b net.a.b 3",
      "/proc/sys/net/c/d net.c.d 2",
      "/proc/sys/net/e/f net.e.f 4",
    ]);
  });

  test("T14, T31: those of args.cni stand alone", async () => {
    expect(await paths({ args: { cni: { sysctl: { "net.a.b": "1" } } } })).toEqual([
      "/proc/sys/net/a/b net.a.b 1",
    ]);
  });

  test("T5: keys of other objects may be there twice", async () => {
    const keys =
      '"other": {"a": {"net.a.b": 1}, "net.a.b": "x", "net.a.b": "y"}, "SysCtl" : { "net.a.b" : "1" }';
    expect(await paths(keys)).toEqual(["/proc/sys/net/a/b net.a.b 1"]);
  });
});

test("T35: white space in values is one", () => {
  expect(sameValue("2000 3000", "2000\t3000\n")).toBe(true);
  expect(sameValue(" 1 ", "1")).toBe(true);
  expect(sameValue("", "\n")).toBe(true);
  expect(sameValue("2000 3000", "20003000")).toBe(false);
  expect(sameValue("1", "0")).toBe(false);
});
