/** O19: the examples of docs/operator.md are what the command prints. */
import { expect } from "bun:test";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../../src/operator/commands.ts";
import { command } from "../../operator/recording.ts";
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import { PROJECT } from "../../support/test-files.ts";
import { addByGo } from "../bridge/go-attachment.ts";
import { Attachment, configuration, NETWORK, STAYS } from "../bridge/network.ts";
import { Pod } from "../portmap/pod.ts";
import { keep } from "./libcni-cache.ts";

const page = readFileSync(join(PROJECT, "docs/operator.md"), "utf8");
/** A block may have several commands. */
const EXAMPLES = [...page.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block = ""]) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const end = text.indexOf("\n");
      return { words: text.slice(0, end), output: text.slice(end + 1) };
    }),
);
const [, MISSPELT = ""] = /^```json\n(.*?)^```$/ms.exec(page) ?? [];

/** Where the files of the host are, as the examples name them. */
const FOLDER = "/run/example";

/** Spans of time differ, and with them the width of their column; so do MAC addresses and names that are made of digests. */
const comparable = (text: string): string =>
  text
    .replaceAll(/ +\d+[smhd]\b/g, " SPAN")
    .replaceAll(/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, "MAC")
    .replaceAll(/"veth[0-9a-f]+"/g, '"VETH"')
    .replaceAll(`${FOLDER}/`, "/etc/cni/net.d/");

/** Where an example has a line with "…", lines were left out. */
function expectShown(said: string, example: string): void {
  if (!example.includes("\n…\n")) {
    expect(said).toBe(example);
    return;
  }
  const lines = said.split("\n");
  for (const part of example.split("\n…\n")) {
    const wanted = part.split("\n").filter((line) => line !== "");
    const at = lines.indexOf(wanted[0] ?? "");
    expect(lines.splice(0, at + wanted.length).slice(at)).toEqual(wanted);
  }
}

/** What the words of an example print here: files and folders are those of FOLDER. */
async function said(words: string): Promise<string> {
  const [, list, name = "", rest = ""] = /^(echo c1 \| )?bridgehead (\w+) ?(.*)$/.exec(words) ?? [];
  const given = [...rest.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted = word]) =>
    list !== undefined && word === "-"
      ? `${FOLDER}/list`
      : quoted.replace(/^new\.conflist$/, `${FOLDER}/new`),
  );
  const { options = [] } = COMMANDS.find((row) => row.name === name) ?? {};
  const folders = ["--config-dir", "--cache-dir"].filter((flag) =>
    options.some(({ flags }) => flags.startsWith(`${flag} `)),
  );
  const { stdout, stderr } = await command([name, ...given, ...folders.flatMap((flag) => [flag, FOLDER])], {
    environment: { CNI_PATH: builtBinaries(), PATH: process.env.PATH },
    columns: 100,
  });
  const text = stdout + stderr.replace("nothing was changed; --yes does it\n", "");
  return text.replaceAll(`${FOLDER}/new`, "new.conflist");
}

const exampleTest = hostTests({
  mayKeep: [...STAYS, /\/\.bridgehead\/freed\+testnet /, /^sysctl net\.ipv4\.conf\.br0\./],
});

exampleTest("O19: the examples of docs/operator.md are what the command prints", async (host) => {
  expect(EXAMPLES.length).toBeGreaterThan(8);
  const keys = { isDefaultGateway: true, ipMasq: true, ipMasqBackend: "nftables" };
  const portmap = { type: "portmap", backend: "nftables", capabilities: { portMappings: true } };
  const plugins = [configuration(keys), portmap];
  const document = { cniVersion: "1.1.0", name: NETWORK, plugins };
  mkdirSync(`${FOLDER}/results`, { recursive: true });
  writeFileSync(`${FOLDER}/10-testnet.conflist`, JSON.stringify(document));
  writeFileSync(`${FOLDER}/list`, "c1\n");
  writeFileSync(`${FOLDER}/new`, MISSPELT);
  const containers = [];
  for (const name of ["c1", "c2"]) {
    const attachment = new Attachment(host, await host.addNamespace(name), keys);
    const result = await attachment.add();
    containers.push(attachment);
    keep(FOLDER, { containerId: name, netns: attachment.namespace.path, result, config: document });
  }
  const go = await addByGo(host, await host.addNamespace("c3"), "10.77.0.9");
  const [one] = containers;
  const addresses = one?.result.ips.map(({ address }) => address) ?? [];
  const netns = one?.namespace.path ?? "";
  const pod = new Pod(host, undefined, { network: NETWORK, containerId: "c1", netns, addresses });
  await pod.add([{ hostPort: 8080, containerPort: 80, protocol: "tcp" }], { backend: "nftables" });
  await host.run(["ip", "link", "delete", go.veth]);
  await host.run(["ip", "netns", "delete", "c2"]);
  await eventually(
    "a dead lease",
    async () => (await command(["leases", "--state", "dead", "-q"])).stdout !== "",
  );
  await host.addNamespace("c4");
  for (const { words, output } of EXAMPLES) {
    if (words.endsWith(" repair")) await host.run("nft flush chain inet cni_plugins_masquerade masq_checks");
    expectShown(comparable(await said(words)), comparable(output));
  }
  await pod.del({ backend: "nftables" });
  rmSync(FOLDER, { recursive: true });
  for (const each of containers) await each.del();
});
