/** CHECK names what was lost since ADD, also with the result of a later version; DEL works all the same. */
import type { ScratchCase } from "../scratch-lanes.ts";
import { toolCase } from "./case.ts";
import type { Life } from "./life.ts";
import { bridgePlugin, list, single } from "./networks.ts";

type Damage = readonly [
  what: string,
  place: "host" | "container",
  /** VETH stands for the host's end. */
  script: string,
  message: RegExp,
];

const DAMAGES: readonly Damage[] = [
  [
    "lease",
    "host",
    "rm /var/lib/cni/networks/neta/*.2 /var/lib/cni/networks/neta/*::2",
    /Failed to find address added by container/,
  ],
  ["address", "container", "ip addr del 10.61.0.2/24 dev eth0", /Failed to match addr 10\.61\.0\.2\/24/],
  ["IPv6 address", "container", "ip addr del fd00:61::2/64 dev eth0", /Failed to match addr fd00:61::2\/64/],
  ["default route", "container", "ip route del default", /Expected Route 0\.0\.0\.0\/0 not found/],
  ["IPv6 default route", "container", "ip -6 route del default", /Expected Route ::\/0 not found/],
  ["container's interface", "container", "ip link del eth0", /eth0 not found/],
  ["container's interface up", "container", "ip link set eth0 down", /eth0 is down/],
  ["place in the bridge", "host", "ip link set VETH nomaster", /is not a port of bridge cni0/],
  ["bridge", "host", "ip link del cni0", /bridge cni0 in host namespace was not found/],
  [
    "gateway address",
    "host",
    "ip addr del 10.61.0.1/24 dev cni0",
    /gateway address 10\.61\.0\.1\/24 is missing/,
  ],
];

const MASQUERADE: Readonly<Record<"iptables" | "nftables", string>> = {
  iptables: "iptables -t nat -F POSTROUTING",
  nftables: "nft flush chain inet cni_plugins_masquerade masq_checks",
};

const FAMILIES_HERE = [4, 6] as const;

const lossCase = ([what, place, script, message]: Damage, index: number): ScratchCase => {
  const version = index % 2 === 0 ? "1.1.0" : "0.4.0";
  const backend = index % 2 === 0 ? "nftables" : "iptables";
  const plugin = bridgePlugin(FAMILIES_HERE, { ipMasq: true, ipMasqBackend: backend });
  return toolCase({
    name: `loss: ${what}`,
    config: index % 3 === 0 ? ["a.conf", single(version, plugin)] : ["a.conflist", list(version, [plugin])],
    wanted: { version, families: FAMILIES_HERE, backend },
    run: (life) => lose(life, place, script, message),
  });
};

async function lose(life: Life, place: "host" | "container", script: string, message: RegExp): Promise<void> {
  await life.add();
  await life.check();
  const { host } = life.scene;
  const port = (await host.json<{ ifname: string }[]>("ip -j link show type veth")).find(({ ifname }) =>
    /^veth[0-9a-f]{8}$/.test(ifname),
  );
  await (place === "host" ? host : life.container).run(script.replaceAll("VETH", port?.ifname ?? ""));
  await life.checkFails(message);
  await life.del();
}

const masqueradeLosses = (["iptables", "nftables"] as const).map((backend) => {
  const plugin = bridgePlugin(FAMILIES_HERE, { ipMasq: true, ipMasqBackend: backend });
  return toolCase({
    name: `loss: masquerade rules, ${backend}`,
    config: ["a.conflist", list("1.1.0", [plugin])],
    wanted: { version: "1.1.0", families: FAMILIES_HERE, backend },
    // A table that somebody else has flushed is not taken away with the last rule of ours.
    keeps: backend === "nftables" ? [/^nft .*"inet".*"cni_plugins_masquerade"(?!.*"masquerade":null)/] : [],
    run: (life) =>
      lose(life, "host", MASQUERADE[backend], /masquerade rules of container .* are missing or altered/),
  });
});

export const LOSS_CASES: readonly ScratchCase[] = [...DAMAGES.map(lossCase), ...masqueradeLosses];
