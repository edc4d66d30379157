/** O17: each network that docs/runtimes.md tells users to write works as it stands, and leaves nothing. */
import { expect } from "bun:test";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { command } from "../../operator/recording.ts";
import { hostTests } from "../../support/host-test.ts";
import { keptForwarding, keptIptablesChains, keptLeaseFolder } from "../../support/leftovers.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import { networkOf, networkText, RUNTIMES } from "../../support/runtimes-page.ts";
import { addressesOn } from "../bridge/network.ts";

const NETWORKS = "/run/networks";

const names = [...new Set(RUNTIMES.map((runtime) => networkOf(runtime).name))];
const pageTest = hostTests({
  mayKeep: [
    ...keptForwarding,
    ...keptIptablesChains,
    ...names.flatMap(keptLeaseFolder),
    /^file \/var\/lib\/cni\/results\/ /,
  ],
});

pageTest("O17: each of them: ADD, with a port where it has portmap; CHECK; DEL", async (host) => {
  mkdirSync(NETWORKS);
  for (const runtime of RUNTIMES) {
    const { name, plugins } = networkOf(runtime);
    const bridge = plugins.find(({ type }) => type === "bridge")?.bridge;
    writeFileSync(`${NETWORKS}/net.conflist`, networkText(runtime));
    const container = await host.addNamespace(runtime);
    const run = async (word: string, ...options: string[]) => {
      const target = ["--netns", container.path, "--id", runtime];
      const places = ["--config-dir", NETWORKS, "--plugin-dir", builtBinaries()];
      const environment = { PATH: process.env.PATH ?? "" };
      const said = await command(["run", word, name, ...target, ...options, ...places], { environment });
      expect({ runtime, ...said }).toMatchObject({ runtime, exitCode: 0, stderr: "" });
      return said.stdout;
    };
    // CRI-O publishes ports itself.
    const port = plugins.some(({ type }) => type === "portmap") ? ["--port", "8080:80/tcp"] : [];
    const { ips } = JSON.parse(await run("ADD", ...port)) as { ips: { address: string }[] };
    expect(await addressesOn(container, "eth0")).toEqual(ips.map(({ address }) => address));
    expect(await container.run("ip route; ip -6 route")).toMatch(/^default via .* dev eth0/m);
    const rules = await host.run("iptables-save -t nat; nft list ruleset");
    expect({ runtime, published: rules.includes("8080") }).toEqual({ runtime, published: port.length > 0 });
    await run("CHECK");
    await run("DEL");
    await host.run(`ip link delete ${bridge}; ip netns delete ${runtime}`);
  }
  rmSync(NETWORKS, { recursive: true });
});
