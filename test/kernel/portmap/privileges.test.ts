/** Least privilege: portmap needs CAP_NET_ADMIN, and CAP_NET_RAW only for iptables-legacy (docs/security.md). */
import { expect } from "bun:test";
import { hostTests } from "../../support/host-test.ts";
import { type Capability, callWith } from "../../support/privileges.ts";
import { testUnless } from "../../support/skip.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import { Pod } from "./pod.ts";
import { ruleTest, V4, withBridge } from "./scene.ts";

const PORT = [{ hostPort: 8080, containerPort: 80 }];
const LIST = { cniVersion: "1.1.0", "cni.dev/valid-attachments": [{ containerID: "c9", ifname: "eth0" }] };

const calls =
  (pod: Pod, capabilities: readonly Capability[], backend: string) =>
  async (command: string, mappings = PORT) =>
    `${command}: ${await callWith({ capabilities }, "portmap", pod.request(command, mappings, { backend, ...LIST, prevResult: pod.prevResult("1.1.0") }))}`;

for (const backend of ["iptables", "nftables"])
  ruleTest(`CAP_NET_ADMIN is enough with ${backend}, and without it nothing happens`, async (host) => {
    const pod = new Pod(host, undefined, { addresses: [V4] });
    const able = calls(pod, ["net_admin"], backend);
    for (const command of ["STATUS", "ADD", "CHECK", "DEL", "ADD", "GC"])
      expect(await able(command)).toStartWith(`${command}: exit code 0`);
    const before = await host.state();
    const unable = calls(pod, [], backend);
    for (const command of ["ADD", "STATUS"]) expect(await unable(command)).toContain("CAP_NET_ADMIN");
    expect(await host.state()).toEqual(before);
    for (const command of ["ADD", "CHECK"])
      expect(await unable(command, [])).toStartWith(`${command}: exit code 0`);
  });

hostTests({}, testUnless(await whyNoLegacy()))(
  "iptables-legacy also needs CAP_NET_RAW",
  withBridge(async (host) => {
    const programs = await legacyHost();
    const pod = new Pod(host, undefined, { addresses: [V4] });
    expect(await calls(pod, ["net_admin"], "iptables")("ADD")).toStartWith("ADD: exit code 1");
    const able = calls(pod, ["net_admin", "net_raw"], "iptables");
    for (const command of ["ADD", "CHECK", "DEL"])
      expect(await able(command)).toStartWith(`${command}: exit code 0`);
    await programs[Symbol.asyncDispose]();
    await host.run("iptables-legacy -t nat -F; iptables-legacy -t nat -X");
  }),
);
