/** O19: the examples of docs/operator.md are what the command prints. */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "../../operator/recording.ts";
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import { PROJECT } from "../../support/test-files.ts";
import { addByGo } from "../bridge/go-attachment.ts";
import { Attachment, configuration, STAYS } from "../bridge/network.ts";

const page = readFileSync(join(PROJECT, "docs/operator.md"), "utf8");
const EXAMPLES = [...page.matchAll(/^```console\n\$ ([^\n]*)\n(.*?)^```$/gms)].map(
  ([, words = "", output = ""]) => ({ words, output }),
);

/** Spans of time differ, and with them the width of their column. */
const comparable = (text: string): string => text.replaceAll(/ +\d+[smhd]\b/g, " SPAN");

const exampleTest = hostTests({ mayKeep: [...STAYS, /\/\.bridgehead\/freed\+testnet /] });

exampleTest("O19: the examples of docs/operator.md are what the command prints", async (host) => {
  expect(EXAMPLES.length).toBeGreaterThan(3);
  const containers = [];
  for (const name of ["c1", "c2"]) {
    const attachment = new Attachment(host, await host.addNamespace(name), { ipMasq: name === "c1" });
    await attachment.add();
    containers.push(attachment);
  }
  const [first] = containers;
  if (first === undefined) throw new Error("no container");
  const { config, result, namespace } = first;
  mkdirSync("/var/lib/cni/results");
  writeFileSync(
    "/var/lib/cni/results/testnet-c1-eth0",
    JSON.stringify({
      ...{ kind: "cniCacheV1", containerId: "c1", ifName: "eth0", networkName: "testnet" },
      ...{ netns: namespace.path, result },
      config: Buffer.from(JSON.stringify(config)).toString("base64"),
    }),
  );
  const go = await addByGo(host, await host.addNamespace("c3"), "10.77.0.9");
  await host.run(["ip", "link", "delete", go.veth]);
  await host.run(["ip", "netns", "delete", "c2"]);
  await eventually(
    "a dead lease",
    async () => (await command(["leases", "--state", "dead", "-q"])).stdout !== "",
  );
  writeFileSync("/run/testnet.conflist", JSON.stringify({ name: "testnet", plugins: [configuration()] }));
  writeFileSync("/run/list", "c1\n");
  for (const { words, output } of EXAMPLES) {
    const [, list, rest = ""] = /^(echo c1 \| )?bridgehead (.*)$/.exec(words) ?? [];
    const given = rest.split(" ").map((word) => (list !== undefined && word === "-" ? "/run/list" : word));
    if (rest === "repair") await host.run("iptables-nft -t nat -F");
    const { stdout, stderr } = await command([...given, "--config-dir", "/run"]);
    const said = stdout + stderr.replace("nothing was changed; --yes does it\n", "");
    expect(comparable(said)).toBe(comparable(output));
  }
  await host.run(["rm", "-r", "/var/lib/cni/results", "/run/testnet.conflist", "/run/list"]);
  for (const each of containers) await each.del();
});
