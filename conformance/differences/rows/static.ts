/** The plugin static. */
import type { Bench } from "../../engine/bench.ts";
import type { JsonRecord } from "../../engine/network.ts";
import { type Difference, network, whether } from "../difference.ts";

const ONE = { address: "10.1.0.5/24", gateway: "10.1.0.1" };

/** A configuration that has no other plugin. */
const config = (...addresses: readonly JsonRecord[]): JsonRecord =>
  network({ ipam: { type: "static", addresses } });

const PLUGIN = { plugin: "static" } as const;

const added = async (bench: Bench, ...addresses: readonly JsonRecord[]) =>
  whether(await bench.call("ADD", config(...addresses), PLUGIN));

export const STATIC_ROWS: readonly Difference[] = [
  {
    what: "`static`: an address that no interface can have, or one listed twice",
    measure: async (bench) => ({
      "10.1.0.5/24": await added(bench, ONE),
      "10.1.0.0/24": await added(bench, { address: "10.1.0.0/24" }),
      "10.1.0.255/24": await added(bench, { address: "10.1.0.255/24" }),
      "0.0.0.0/0": await added(bench, { address: "0.0.0.0/0" }),
      twice: await added(bench, ONE, ONE),
    }),
    shows: {
      "10.1.0.5/24": ["succeeds", "succeeds"],
      "10.1.0.0/24": ["succeeds", "fails"],
      "10.1.0.255/24": ["succeeds", "fails"],
      "0.0.0.0/0": ["succeeds", "fails"],
      twice: ["succeeds", "fails"],
    },
  },
  {
    what: "`static`: CHECK",
    measure: async (bench) => {
      const check = async (...ips: readonly JsonRecord[]) =>
        whether(
          await bench.call("CHECK", { ...config(ONE), prevResult: { cniVersion: "1.1.0", ips } }, PLUGIN),
        );
      return {
        "the address": await check(ONE),
        "another gateway": await check({ ...ONE, gateway: "10.1.0.9" }),
        "another prefix length": await check({ ...ONE, address: "10.1.0.5/16" }),
        "no address": await check(),
      };
    },
    shows: {
      "the address": ["succeeds", "succeeds"],
      "another gateway": ["fails", "fails"],
      "another prefix length": ["succeeds", "fails"],
      "no address": ["succeeds", "fails"],
    },
  },
  {
    what: "`static`: `GATEWAY=` in `CNI_ARGS`",
    measure: async (bench) => {
      const env = { CNI_ARGS: "IP=10.2.0.5/24;GATEWAY=10.1.0.9,10.2.0.9" };
      const outcome = await bench.call("ADD", config(ONE), { ...PLUGIN, env });
      const { ips } = outcome.json<{ ips: { gateway: string }[] }>();
      return { gateways: ips.map(({ gateway }) => gateway) };
    },
    shows: {
      gateways: [
        ["10.1.0.1", "10.2.0.9"],
        ["10.1.0.9", "10.2.0.9"],
      ],
    },
  },
];
