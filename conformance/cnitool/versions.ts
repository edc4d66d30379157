/** Single configurations and lists of every version, with one and with both families. */
import { VERSIONS } from "../engine/network.ts";
import type { ScratchCase } from "../scratch-lanes.ts";
import { toolCase, wholeLife } from "./case.ts";
import { bridgePlugin, FAMILIES, list, single } from "./networks.ts";

/** Both backends come up with every family and form, and either with every version. */
const BACKENDS = ["iptables", "nftables"] as const;

export const VERSION_CASES: readonly ScratchCase[] = ["conf", "conflist"].flatMap((form, formIndex) =>
  VERSIONS.flatMap((version, versionIndex) =>
    Object.entries(FAMILIES).map(([familyName, families], familyIndex) => {
      const backend = BACKENDS[(formIndex + versionIndex + familyIndex) % 2] ?? "nftables";
      const plugin = bridgePlugin(families, { ipMasq: true, ipMasqBackend: backend });
      const config = form === "conf" ? single(version, plugin) : list(version, [plugin]);
      return toolCase({
        name: `${form}, ${version}, ${familyName}, ${backend}`,
        config: [`10-net.${form}`, config],
        wanted: { version, families, backend },
        run: wholeLife,
      });
    }),
  ),
);
