/** The bridge's configuration keys (B1-B9): defaults, precedence, refusals. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { CniError } from "../../../src/cni/error.ts";
import { wantsVlanFiltering } from "../../../src/links/bridge.ts";
import { formatMac } from "../../../src/net/mac.ts";
import { parseBridgeConfig } from "../../../src/plugins/bridge/config.ts";
import { KeyError } from "../../../src/schema/key-error.ts";
import { thrownBy } from "../../cni/fake-host.ts";
import { requestWith } from "./request.ts";

const parse = (keys: object, args?: string) => parseBridgeConfig(requestWith(keys, args));

const refusal = (keys: object, args?: string) => thrownBy(() => parse(keys, args));

describe("defaults", () => {
  test("B1, B8, B9: all defaults", () => {
    expect(parse({})).toEqual({
      bridge: "cni0",
      isGateway: false,
      isDefaultGateway: false,
      forceAddress: false,
      ipMasq: false,
      hairpinMode: false,
      promiscMode: false,
      vlan: 0,
      preserveDefaultVlan: false,
      macspoofchk: false,
      enabledad: false,
      disableContainerInterface: false,
      portIsolation: false,
    });
  });

  test("empty strings, zero and null count as absent, as in the reference", () => {
    expect(
      parse({
        bridge: "",
        mtu: 0,
        ipMasqBackend: "",
        vlan: null,
        ipam: { type: "" },
        dns: {},
        runtimeConfig: { mac: "" },
      }),
    ).toEqual(parse({}));
  });

  test("A14: keys match without regard to case, unknown ones are accepted", () => {
    expect(parse({ ISGATEWAY: true, Bridge: "br7", ipRange: "x" })).toMatchObject({
      isGateway: true,
      bridge: "br7",
    });
  });

  test("B2: isDefaultGateway implies isGateway", () => {
    expect(parse({ isDefaultGateway: true })).toMatchObject({ isGateway: true, isDefaultGateway: true });
  });
});

describe("B7: three sources of the MAC", () => {
  const [first, second, third] = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"];
  const mac = (keys: object, args?: string) => {
    const found = parse(keys, args).mac;
    return found === undefined ? undefined : formatMac(found);
  };
  test("B7: runtimeConfig overrides args.cni, which overrides CNI_ARGS", () => {
    const keys = { runtimeConfig: { mac: first }, args: { cni: { mac: second } } };
    expect(mac(keys, `MAC=${third}`)).toBe(first);
    expect(mac({ args: keys.args }, `MAC=${third}`)).toBe(second);
    expect(mac({}, `IP=10.0.0.9;MAC=${third}`)).toBe(third);
    expect(mac({}, "IgnoreUnknown=1;K8S_POD_NAME=x")).toBeUndefined();
  });
  test("A51: an unknown key of CNI_ARGS is refused", () => {
    expect(refusal({}, "FOO=1").message).toContain("FOO");
  });
});

describe("refusals name the value and the rule", () => {
  const CASES: readonly { keys: object; code: number; message: RegExp }[] = [
    {
      keys: { bridge: "sixteen-bytes-xx" },
      code: 7,
      message: /bridge "sixteen-bytes-xx" is not a valid interface name/,
    },
    { keys: { bridge: "a/b" }, code: 7, message: /bridge "a\/b" is not a valid interface name/ },
    { keys: { bridge: ".." }, code: 7, message: /bridge "\.\." is not a valid interface name/ },
    { keys: { bridge: "à" }, code: 7, message: /bridge "à" is not a valid .*takes for white space/ },
    { keys: { bridge: "all" }, code: 7, message: /bridge "all" is not a valid .*settings of that name/ },
    { keys: { bridge: "é".repeat(8) }, code: 7, message: /must have 1 to 15 bytes/ },
    { keys: { bridge: 7 }, code: 6, message: /key "bridge" must be a string, not 7/ },
    { keys: { mtu: -1 }, code: 7, message: /invalid mtu -1/ },
    { keys: { mtu: 67 }, code: 7, message: /invalid mtu 67 \(must be 0 or between 68 and 65535\)/ },
    { keys: { mtu: 1.5 }, code: 6, message: /key "mtu" must be a whole number, not 1\.5/ },
    { keys: { mtu: "1500" }, code: 6, message: /key "mtu" must be a whole number/ },
    { keys: { vlan: -1 }, code: 7, message: /invalid vlan -1 \(must be between 0 and 4094\)/ },
    { keys: { vlan: 4095 }, code: 7, message: /invalid vlan 4095/ },
    {
      keys: { ipMasqBackend: "ipfw" },
      code: 7,
      message: /invalid ipMasqBackend "ipfw" \(must be "iptables" or "nftables"\)/,
    },
    {
      keys: { hairpinMode: true, promiscMode: true },
      code: 7,
      message: /cannot set hairpin mode and promiscuous mode at the same time/,
    },
    {
      keys: { ipam: { type: "x" }, disableContainerInterface: true },
      code: 7,
      message: /cannot use IPAM when DisableContainerInterface flag is set/,
    },
    {
      keys: { runtimeConfig: { mac: "01:00:5e:00:00:01" } },
      code: 7,
      message: /invalid MAC address "01:00:5e:00:00:01"/,
    },
    { keys: { runtimeConfig: { mac: "02:00" } }, code: 7, message: /invalid MAC address "02:00"/ },
    {
      keys: { dns: { nameservers: "192.0.2.1" } },
      code: 6,
      message: /key "dns\.nameservers" must be an array/,
    },
    { keys: { ipam: [] }, code: 6, message: /key "ipam" must be an object/ },
    { keys: { ipam: { type: "bridge" } }, code: 7, message: /call itself without end/ },
    {
      keys: { bridge: "é".repeat(6), vlan: 100, isGateway: true, ipam: { type: "host-local" } },
      code: 7,
      message: /would be called "éééééé\.100": it must have 1 to 15 bytes/,
    },
    {
      keys: { bridge: "bridge-name-x", vlan: 100, isGateway: true, ipam: { type: "x" } },
      code: 7,
      message: /would be called "bridge-name-x\.100": it must have 1 to 15 bytes/,
    },
  ];
  test.each(CASES.map((each) => ({ ...each, title: JSON.stringify(each.keys) })))(
    "$title",
    ({ keys, code, message }) => {
      const error = refusal(keys);
      expect({ code: error.code, message: error.message }).toEqual({
        code,
        message: expect.stringMatching(message),
      });
    },
  );
});

test("B10: VLAN filtering is needed for a vlan and for any vlanTrunk, even an empty one", () => {
  expect(
    [{}, { vlan: 5 }, { vlanTrunk: [] }, { vlanTrunk: [{ id: 3 }] }].map((keys) =>
      wantsVlanFiltering(parse(keys)),
    ),
  ).toEqual([false, true, true, true]);
});

test("any values of the keys give a configuration or a CniError", () => {
  const keys = [
    "bridge",
    "mtu",
    "isGateway",
    "vlan",
    "vlanTrunk",
    "ipam",
    "dns",
    "runtimeConfig",
    "args",
    "hairpinMode",
    "ipMasqBackend",
  ];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()), fc.string(), (random, args) => {
      try {
        const config = parse(random, args.replaceAll("\0", ""));
        expect(config.vlan >= 0 && config.vlan <= 4094).toBe(true);
      } catch (error) {
        expect(error instanceof CniError || error instanceof KeyError).toBe(true);
      }
    }),
    { numRuns: 2000 },
  );
});
