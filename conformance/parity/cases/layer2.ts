/** Networks without addresses. */
import { change, life } from "../../engine/case.ts";
import { IPV4, inside, type JsonRecord, layer2, VERSIONS } from "../../engine/network.ts";
import { lives, NO_IPV6 } from "../tables.ts";

const KEYS: Readonly<Record<string, JsonRecord>> = {
  plain: {},
  "ipam is an empty object": { ipam: {} },
  "ipam.type is empty": { ipam: { type: "" } },
  "ipam is null": { ipam: null },
  "mtu 1400": { mtu: 1400 },
  hairpinMode: { hairpinMode: true },
  promiscMode: { promiscMode: true },
  portIsolation: { portIsolation: true },
  enabledad: { enabledad: true },
  isGateway: { isGateway: true },
  isDefaultGateway: { isDefaultGateway: true },
  ipMasq: { ipMasq: true },
  forceAddress: { forceAddress: true },
  disableContainerInterface: { disableContainerInterface: true },
  "disableContainerInterface and mtu": { disableContainerInterface: true, mtu: 1300 },
  "disableContainerInterface with ipam": { disableContainerInterface: true, ipam: IPV4 },
  "disableContainerInterface with an empty ipam": { disableContainerInterface: true, ipam: {} },
  "static MAC": { runtimeConfig: { mac: "02:00:5e:00:00:01" } },
};

export const LAYER2 = [
  ...lives(KEYS, "layer 2: "),
  life("layer 2: IPv6 is off in the container", layer2(), {
    before: [change("disable IPv6 inside", inside("c1", NO_IPV6))],
  }),
  ...VERSIONS.map((cniVersion) =>
    life(
      `layer 2: mtu, hairpin and dns, version ${cniVersion}`,
      layer2({ cniVersion, mtu: 1400, hairpinMode: true, dns: { domain: "example.org" } }),
    ),
  ),
];
