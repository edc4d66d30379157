/** What is called for the table of memory: each command as it mostly is, then the largest inputs. */
import { mkdirSync, writeFileSync } from "node:fs";
import { CONTAINER, type Measured, type Plugins, sh } from "./plugins.ts";

export interface Case {
  readonly name: string;
  /** Of standard input, where it is what counts. */
  readonly inputBytes?: number;
  run(plugins: Plugins): Measured;
}

/** Where the leases are. */
export const DATA = "/var/lib/cni/limits";
const MIB = 2 ** 20;

export const network = (keys: object = {}): string =>
  JSON.stringify({
    cniVersion: "1.1.0",
    name: "limits",
    type: "bridge",
    bridge: "limits0",
    isGateway: true,
    ipMasq: true,
    ipMasqBackend: "nftables",
    ipam: {
      type: "host-local",
      dataDir: DATA,
      routes: [{ dst: "0.0.0.0/0" }],
      ranges: [[{ subnet: "10.9.0.0/16" }], [{ subnet: "fd09::/64" }]],
    },
    ...keys,
  });

let result = "";

const bridge = (command: string, keys: () => object = () => ({})): Case => ({
  name: `bridge ${command}`,
  run: (plugins) => {
    const measured = plugins.call("bridge", command, network(keys()));
    if (command === "ADD") result = measured.stdout;
    return measured;
  },
});

const withResult = () => ({ prevResult: JSON.parse(result) as object });

/** A configuration of so many bytes that is filled up with `piece`. */
function filled(piece: string, bytes: number): string {
  const [before = "", after = ""] = network({ x: ["@"] }).split('"@"');
  const count = Math.floor((bytes - before.length - after.length) / (piece.length + 1));
  return `${before}${Array.from({ length: count }, () => piece).join(",")}${after}`;
}

const input = (name: string, command: string, text: string, plugin = "host-local"): Case => ({
  name: `${plugin} ${command}, ${name}`,
  inputBytes: text.length,
  run: (plugins) => plugins.call(plugin, command, text),
});

/** Fills the container, then lets CHECK look at it. */
const crowded = (name: string, line: (index: number) => string, count: number): Case => ({
  name: `bridge CHECK of a container with ${name}`,
  run: (plugins) => {
    const lines = Array.from({ length: count }, (_, index) => line(index)).join("\n");
    sh(`ip -n c1 -batch -`, `${lines}\n`);
    return plugins.call("bridge", "CHECK", network(withResult()));
  },
});

const leases = (count: number): Case => ({
  name: `host-local ADD, ${count.toLocaleString("en")} leases of another program`,
  run: (plugins) => {
    const folder = `${DATA}/many${count}`;
    mkdirSync(folder, { recursive: true });
    for (let index = 0; index < count; index++) {
      writeFileSync(
        `${folder}/10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
        `pod${index}\r\neth0`,
      );
    }
    const ipam = { type: "host-local", dataDir: DATA, subnet: "10.0.0.0/8" };
    return plugins.call("host-local", "ADD", network({ name: `many${count}`, ipam }));
  },
});

/** Fills the nat table with the rules of so many other containers, which DEL has to look through. */
const legacy = (count: number): Case => ({
  name: `bridge DEL beside ${count.toLocaleString("en")} containers in iptables-legacy`,
  run: (plugins) => {
    const rules = ["*nat"];
    for (let index = 0; index < count; index++) {
      const chain = `CNI-${index.toString(16).padStart(24, "0")}`;
      const comment = `-m comment --comment "name: \\"other\\" id: \\"${index}\\""`;
      rules.push(`:${chain} - [0:0]`, `-A POSTROUTING -s 10.${octets(index)}/32 ${comment} -j ${chain}`);
      rules.push(`-A ${chain} -d 10.0.0.0/8 ${comment} -j ACCEPT`);
      rules.push(`-A ${chain} ! -d 224.0.0.0/4 ${comment} -j MASQUERADE`);
    }
    sh("iptables-legacy-restore", `${rules.join("\n")}\nCOMMIT\n`);
    try {
      return plugins.call("bridge", "DEL", network());
    } finally {
      sh("iptables-legacy -t nat -F; iptables-legacy -t nat -X");
    }
  },
});

const octets = (index: number): string => `${index >> 16}.${(index >> 8) & 255}.${index & 255}`;

function million(): string {
  const id = (index: number) => index.toString(16).padStart(64, "0");
  const list = `[${Array.from({ length: 1_000_000 }, (_, index) => `{"containerID":"${id(index)}","ifname":"eth0"}`)}]`;
  return network().replace("{", `{"cni.dev/attachments":${list},"cni.dev/valid-attachments":${list},`);
}

const routes = (count: number): object[] =>
  Array.from({ length: count }, (_, index) => ({ dst: `11.${octets(index)}/32`, gw: "10.9.0.1" }));

export const CASES: readonly Case[] = [
  { name: "bridge VERSION", run: (plugins) => plugins.call("bridge", "VERSION", "") },
  {
    name: "loopback ADD",
    run: (plugins) => {
      sh(`ip netns add ${CONTAINER.id}`);
      return plugins.call("loopback", "ADD", '{"cniVersion":"1.0.0","name":"lo","type":"loopback"}');
    },
  },
  bridge("STATUS"),
  bridge("ADD"),
  bridge("CHECK", withResult),
  crowded("200,000 routes", (index) => `route add 11.${octets(index)}/32 dev eth0`, 200_000),
  crowded("20,000 addresses as well", (index) => `addr add 12.${octets(index)}/32 dev eth0`, 20_000),
  bridge("DEL", withResult),
  bridge("GC", () => ({ "cni.dev/valid-attachments": [] })),
  legacy(20_000),
  leases(10_000),
  leases(100_000),
  input(
    "a previous result with 250,000 routes",
    "DEL",
    network({ prevResult: { cniVersion: "1.1.0", routes: routes(250_000) } }),
    "bridge",
  ),
  input("text", "STATUS", filled(JSON.stringify("x".repeat(1000)), 16 * MIB)),
  input("numbers", "STATUS", filled("1", 16 * MIB)),
  input("empty objects", "STATUS", filled("{}", MIB)),
  input("a million attachments, twice", "GC", million()),
  {
    name: "host-local ADD, endless input",
    run: (plugins) => plugins.call("host-local", "ADD", Bun.file("/dev/zero")),
  },
];
