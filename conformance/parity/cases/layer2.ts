/** Networks without addresses. */
import { bridgeConfig, change, IPV4, inside, type JsonRecord, life, VERSIONS } from "../case.ts";

const one = (name: string, keys: JsonRecord) => life(`layer 2: ${name}`, bridgeConfig(keys));

export const LAYER2 = [
  one("plain", {}),
  one("ipam is an empty object", { ipam: {} }),
  one("ipam.type is empty", { ipam: { type: "" } }),
  one("ipam is null", { ipam: null }),
  one("mtu 1400", { mtu: 1400 }),
  one("hairpinMode", { hairpinMode: true }),
  one("promiscMode", { promiscMode: true }),
  one("portIsolation", { portIsolation: true }),
  one("enabledad", { enabledad: true }),
  one("isGateway", { isGateway: true }),
  one("isDefaultGateway", { isDefaultGateway: true }),
  one("ipMasq", { ipMasq: true }),
  one("forceAddress", { forceAddress: true }),
  one("disableContainerInterface", { disableContainerInterface: true }),
  one("disableContainerInterface and mtu", { disableContainerInterface: true, mtu: 1300 }),
  one("disableContainerInterface with ipam", { disableContainerInterface: true, ipam: IPV4 }),
  one("disableContainerInterface with an empty ipam", { disableContainerInterface: true, ipam: {} }),
  one("static MAC", { runtimeConfig: { mac: "02:00:5e:00:00:01" } }),
  life("layer 2: IPv6 is off in the container", bridgeConfig(), {
    before: [
      change(
        "disable IPv6 inside",
        inside("c1", "for s in all default lo; do echo 1 > /proc/sys/net/ipv6/conf/$s/disable_ipv6; done"),
      ),
    ],
  }),
  ...VERSIONS.map((cniVersion) =>
    one(`mtu, hairpin and dns, version ${cniVersion}`, {
      cniVersion,
      mtu: 1400,
      hairpinMode: true,
      dns: { domain: "example.org" },
    }),
  ),
];
