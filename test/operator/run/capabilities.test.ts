/** O17: what --port, --ip, --mac and CAP_ARGS become. */
import { expect, test } from "bun:test";
import { capabilityArgsOf, portOf, requireCapabilities } from "../../../src/operator/run/capabilities.ts";
import type { Chain } from "../../../src/operator/run/chain.ts";

const NONE = { ports: [], ips: [], mac: undefined, capArgs: "" } as const;

test.each([
  ["8080:80", { hostPort: 8080, containerPort: 80, protocol: "tcp" }],
  ["53:5353/udp", { hostPort: 53, containerPort: 5353, protocol: "udp" }],
  ["127.0.0.1:1:65535/sctp", { hostPort: 1, containerPort: 65535, protocol: "sctp", hostIP: "127.0.0.1" }],
  ["[::1]:8080:80/tcp", { hostPort: 8080, containerPort: 80, protocol: "tcp", hostIP: "::1" }],
])("O17: --port %s", (text, mapping) => {
  expect(portOf(text)).toEqual(mapping);
});

test.each(["80", "0:80", "80:65536", "8080:80/icmp", "x:8080:80", "::1:80:80", "8080:80/TCP", ""])(
  "O4, O17: --port %j is wrong use",
  (text) => {
    expect(() => portOf(text)).toThrow(/is not a published port: write \[ADDRESS:\]HOST:CONTAINER/);
  },
);

test("O17: options win over CAP_ARGS", () => {
  expect(capabilityArgsOf(NONE)).toEqual({});
  const args = capabilityArgsOf({
    ports: ["8080:80"],
    ips: ["10.1.2.3", "fd00::3/64"],
    mac: "02:00:00:00:00:01",
    capArgs: '{"mac":"x","bandwidth":{"ingressRate":1}}',
  });
  expect(args).toEqual({
    bandwidth: { ingressRate: 1 },
    portMappings: [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }],
    ips: ["10.1.2.3", "fd00::3/64"],
    mac: "02:00:00:00:00:01",
  });
});

test.each([
  [{ ips: ["10.1.2"] }, /--ip "10.1.2" is not an address/],
  [{ mac: "02:00" }, /--mac "02:00" is not a MAC/],
  [{ capArgs: "[]" }, /CAP_ARGS is "\[\]", not a JSON object/],
  [{ capArgs: "{" }, /CAP_ARGS/],
])("O4, O17: %j is wrong use", (options, message) => {
  expect(() => capabilityArgsOf({ ...NONE, ...options })).toThrow(message);
});

test("O17: a capability that no plugin declares is refused, with the remedy", () => {
  const chain = (capabilities?: object) =>
    ({
      name: "net",
      file: "/f",
      plugins: [{ type: "bridge" }, { type: "portmap", capabilities }],
    }) as unknown as Chain;
  const args = { portMappings: [] };
  requireCapabilities(chain({ portMappings: true }), args);
  requireCapabilities(chain(), {});
  for (const without of [undefined, {}, { portMappings: false }, { PortMappings: true }])
    expect(() => requireCapabilities(chain(without), args)).toThrow(
      'no plugin of network "net" declares that capability; add "capabilities": {"portMappings": true} to the plugin portmap in /f',
    );
});
