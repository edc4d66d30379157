/** The plugin portmap. */
import type { Bench, CallOptions } from "../../engine/bench.ts";
import { type Json, type JsonRecord, LATEST, VALID } from "../../engine/network.ts";
import { type Difference, whether } from "../difference.ts";

const BRIDGE = "ip link add br0 type bridge && ip addr add 10.1.0.1/24 dev br0 && ip link set br0 up";

const PORT = [{ hostPort: 8080, containerPort: 80, protocol: "tcp" }];

/** What the plugin gets as second of a list. */
const config = (portMappings: Json, keys: JsonRecord = {}, address = "10.1.0.5"): JsonRecord => ({
  cniVersion: LATEST,
  name: "net",
  type: "portmap",
  runtimeConfig: { portMappings },
  prevResult: {
    cniVersion: LATEST,
    interfaces: [{ name: "eth0", sandbox: "/run/netns/c1" }],
    ips: [{ address: `${address}/24`, interface: 0 }],
  },
  ...keys,
});

const NFTABLES = { backend: "nftables" } as const;
const IPTABLES = { backend: "iptables" } as const;

const on = (bench: Bench, command: string, document: JsonRecord, options: CallOptions = {}) =>
  bench.call(command, document, { plugin: "portmap", ...options });

/** Lines of the rules that translate. */
const translations = async ({ host }: Bench): Promise<string[]> =>
  (await host.run("nft list ruleset 2>/dev/null; true"))
    .split("\n")
    .filter((line) => line.includes("dnat to"));

export const PORTMAP_ROWS: readonly Difference[] = [
  {
    what: "`portmap`: GC",
    measure: async (bench) => {
      await bench.host.run(BRIDGE);
      await on(bench, "ADD", config(PORT, IPTABLES));
      await on(bench, "GC", {
        cniVersion: LATEST,
        name: "net",
        type: "portmap",
        [VALID]: [{ containerID: "other", ifname: "eth0" }],
      });
      return { "rules after": (await translations(bench)).length };
    },
    shows: { "rules after": [1, 0] },
  },
  {
    what: "`portmap`: DEL without the mappings, or after the backend has changed",
    measure: async (bench) => {
      await bench.host.run(BRIDGE);
      await on(bench, "ADD", config(PORT, NFTABLES));
      await on(bench, "DEL", config(null, NFTABLES));
      const without = (await translations(bench)).length;
      await on(bench, "DEL", config(PORT, IPTABLES));
      return {
        "rules without mappings": without,
        "rules with another backend": (await translations(bench)).length,
      };
    },
    shows: { "rules without mappings": [1, 0], "rules with another backend": [1, 0] },
  },
  {
    what: "`portmap`: two networks of a container, with nftables",
    measure: async (bench) => {
      await bench.host.run(BRIDGE);
      await on(bench, "ADD", config(PORT, NFTABLES));
      const other = {
        ...config([{ hostPort: 9090, containerPort: 90, protocol: "tcp" }], NFTABLES, "10.1.0.6"),
        name: "other",
      };
      await on(bench, "ADD", other);
      await on(bench, "DEL", config(PORT, NFTABLES));
      return { "rules of the other one": (await translations(bench)).length };
    },
    shows: { "rules of the other one": [0, 1] },
  },
  {
    what: "`portmap`: the port of a container that still has rules",
    measure: async (bench) => {
      await bench.host.run(BRIDGE);
      await on(bench, "ADD", config(PORT, NFTABLES));
      await on(bench, "ADD", config(PORT, NFTABLES, "10.1.0.6"), { container: "c2" });
      const [first = ""] = await translations(bench);
      return { "the port leads to": first.includes("10.1.0.6") ? "the newer one" : "the older one" };
    },
    shows: { "the port leads to": ["the older one", "the newer one"] },
  },
  {
    what: "`portmap`: a wrong port or protocol",
    measure: async (bench) => {
      await bench.host.run(BRIDGE);
      const wrong = [...PORT, { hostPort: 70000, containerPort: 80, protocol: "tcp" }];
      const ends = whether(await on(bench, "ADD", config(wrong, IPTABLES)));
      return { ADD: ends, "rules after": (await translations(bench)).length };
    },
    shows: { ADD: ["fails", "fails"], "rules after": [1, 0] },
  },
  {
    what: "`portmap`: a second ADD with other ports, with nftables",
    measure: async (bench) => {
      await bench.host.run(BRIDGE);
      await on(bench, "ADD", config(PORT, NFTABLES));
      await on(bench, "ADD", config([{ hostPort: 9090, containerPort: 90, protocol: "tcp" }], NFTABLES));
      return { rules: (await translations(bench)).length };
    },
    shows: { rules: [2, 1] },
  },
  {
    what: "`portmap`: CHECK",
    measure: async (bench) => {
      await bench.host.run(BRIDGE);
      await on(bench, "ADD", config(PORT, IPTABLES));
      const whole = whether(await on(bench, "CHECK", config(PORT, IPTABLES)));
      await bench.host.run("iptables-nft -t nat -F PREROUTING");
      return { whole, "without the jump": whether(await on(bench, "CHECK", config(PORT, IPTABLES))) };
    },
    shows: { whole: ["succeeds", "succeeds"], "without the jump": ["succeeds", "fails"] },
  },
  {
    what: "`portmap`: services on the host's 127.0.0.1",
    measure: async (bench) => {
      await bench.host.run(BRIDGE);
      await on(bench, "ADD", config(PORT, NFTABLES));
      const rules = await bench.host.run("nft list ruleset");
      const opened = (await bench.host.run("cat /proc/sys/net/ipv4/conf/br0/route_localnet")).trim();
      return {
        route_localnet: opened,
        "packets from containers to them": rules.includes("ip daddr 127.0.0.0/8 drop") ? "dropped" : "pass",
      };
    },
    shows: { route_localnet: ["1", "1"], "packets from containers to them": ["pass", "dropped"] },
  },
  {
    what: "`portmap`: a published UDP port, and flows that others forward through the host",
    measure: async (bench) => {
      await bench.host.run(BRIDGE);
      await bench.host.run(
        "conntrack -F; conntrack -I -p udp -t 100 -s 10.1.0.9 -d 192.0.2.53 --sport 1111 --dport 53 -r 192.0.2.53 -q 10.1.0.9 --reply-port-src 53 --reply-port-dst 1111",
      );
      await on(bench, "ADD", config([{ hostPort: 53, containerPort: 53, protocol: "udp" }], IPTABLES));
      const left = await bench.host.run("conntrack -L -p udp --orig-dst 192.0.2.53 2>/dev/null | wc -l");
      return { "flow of another container": left.trim() === "1" ? "goes on" : "is cut" };
    },
    shows: { "flow of another container": ["is cut", "goes on"] },
  },
  {
    what: "`portmap`: processes of an ADD with 100 ports",
    slow: true,
    measure: async (bench) => {
      await bench.host.run(BRIDGE);
      const many = Array.from({ length: 100 }, (_, index) => ({
        hostPort: 9000 + index,
        containerPort: 80,
        protocol: "tcp",
      }));
      const trace = "/run/trace";
      await on(bench, "ADD", config(many, IPTABLES), {
        through: ["strace", "-f", "-e", "trace=execve", "-o", trace],
      });
      const count = (await bench.host.run(`grep -c 'execve(.* = 0' ${trace}; rm ${trace}`)).trim();
      return { "more than 500": Number(count) > 500, "only one": count === "1" };
    },
    shows: { "more than 500": [true, false], "only one": [false, true] },
  },
];
