/** The firewall's configuration keys and what it takes from the previous result (F2 to F5, F32, F40). */
import { describe, expect, test } from "bun:test";
import { CniError } from "../../../src/cni/error.ts";
import { formatPrefix } from "../../../src/net/prefix.ts";
import {
  addressesFor,
  openIngress,
  parseFirewallConfig,
  parseNames,
  requirePrevious,
  wantedFor,
} from "../../../src/plugins/firewall/config.ts";
import { thrownBy } from "../../cni/fake-host.ts";
import { requestWith } from "../bridge/request.ts";

const parse = (keys: object) => parseFirewallConfig(requestWith(keys));
const refusal = (keys: object) => thrownBy(() => parse(keys));

test("F2, F3, F4, F32: all defaults, and empty texts are as good as none", () => {
  const defaults = {
    ingressPolicy: "open",
    iptablesAdminChainName: "CNI-ADMIN",
    firewalldZone: "trusted",
    acceptPublished: true,
  } as const;
  expect(parse({})).toEqual(defaults);
  expect(parse({ backend: "", ingressPolicy: "", iptablesAdminChainName: "", firewalldZone: "" })).toEqual(
    defaults,
  );
});

test.each(["iptables", "nftables", "firewalld"])("F2, F42: backend %s", (backend) => {
  expect(parse({ backend }).backend).toBe(backend as "iptables");
});

test("F3: an unknown policy is refused in the reference's words", () => {
  const error = refusal({ ingressPolicy: "zz" });
  expect(error.code).toBe(7);
  expect(error.message).toStartWith('unknown ingress policy: "zz"; ');
});

describe("F4: names of the administrator's chain", () => {
  test.each(["A".repeat(28), "CNI-foobar", "x", "a.b:c@d+e"])("%s", (name) => {
    expect(parse({ iptablesAdminChainName: name }).iptablesAdminChainName).toBe(name);
  });

  test.each([
    "A".repeat(29),
    "ä".repeat(15),
    "-x",
    "!x",
    "a b",
    "a\nb",
    "FORWARD",
    "ACCEPT",
    "CNI-ISOLATION-STAGE-1",
  ])("%j is refused", (name) => expect(refusal({ iptablesAdminChainName: name })).toBeInstanceOf(CniError));

  test("a removal needs no other key to be right", () => {
    const names = parseNames(requestWith({ backend: "zz", ingressPolicy: 5, iptablesAdminChainName: "X" }));
    expect(names).toEqual({ iptablesAdminChainName: "X", firewalldZone: "trusted" });
  });
});

const previous = (result: object) => requestWith({ prevResult: { cniVersion: "1.1.0", ...result } });

describe("F5, F40: the previous result", () => {
  test("none is an error", () => {
    expect(thrownBy(() => requirePrevious(requestWith({}))).message).toStartWith(
      "missing prevResult from earlier plugin",
    );
  });

  test("addresses of other interfaces do not count", () => {
    const request = previous({
      interfaces: [{ name: "br0" }, { name: "eth0", sandbox: "/x" }, { name: "eth1", sandbox: "/x" }],
      ips: [
        { address: "10.0.0.1/24", interface: 0 },
        { address: "10.0.0.2/24", interface: 1 },
        { address: "10.0.0.3/24", interface: 2 },
        { address: "10.0.0.4/24" },
        { address: "10.0.0.5/24", interface: 9 },
      ],
    });
    const addresses = addressesFor(request, requirePrevious(request)).map(formatPrefix);
    expect(addresses).toEqual(["10.0.0.2/24", "10.0.0.4/24", "10.0.0.5/24"]);
  });

  test("with the policy open, the bridge is the first interface of the host", () => {
    const bridged = previous({ interfaces: [{ name: "br0" }], ips: [] });
    const wanted = wantedFor(bridged, parse({}), requirePrevious(bridged));
    expect(wanted.ingress).toEqual({ policy: "open", bridge: "br0" });
    const inside = previous({ interfaces: [{ name: "eth0", sandbox: "/x" }] });
    expect(openIngress(requirePrevious(inside))).toBeUndefined();
  });
});
