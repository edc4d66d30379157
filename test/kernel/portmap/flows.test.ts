/** UDP flows at ADD, DEL and GC, as `conntrack` lists them. */
import { describe, expect } from "bun:test";
import { outcomeOf } from "../../support/command.ts";
import { hostTests } from "../../support/host-test.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless, whyNoProgram } from "../../support/skip.ts";
import { type Backend, collect, Pod } from "./pod.ts";
import { V4, V6, withBridge } from "./scene.ts";

const conntrackTest = hostTests({}, testUnless(whyNoProgram("conntrack")));

/** A test that begins and ends without flows. */
const flowTest = (name: string, body: (host: ScratchHost) => Promise<void>): void => {
  const withoutFlows = async (host: ScratchHost) => {
    await host.run("conntrack -F");
    await body(host);
    await host.run("conntrack -F");
  };
  conntrackTest(name, withBridge(withoutFlows));
};

const DNS = [{ hostPort: 53, containerPort: 5353, protocol: "udp" }];

interface Flow {
  readonly protocol?: string;
  readonly source: string;
  readonly destination: string;
  readonly port?: number;
  /** The end of the answers: address and port. */
  readonly from?: readonly [string, number];
}

/** Adds a flow from port 1111 to port 53. */
async function track(
  host: ScratchHost,
  { protocol = "udp", source, destination, port = 53, from = [destination, port] }: Flow,
) {
  const tcp = protocol === "tcp" ? "--state ESTABLISHED -u SEEN_REPLY,ASSURED" : "";
  await host.run(
    `conntrack -I -p ${protocol} -t 100 ${tcp} -s ${source} -d ${destination} --sport 1111 --dport ${port} ` +
      `-r ${from[0]} -q ${source} --reply-port-src ${from[1]} --reply-port-dst 1111`,
  );
}

/** Original destinations of all flows from port 1111. */
async function tracked(): Promise<string[]> {
  const lists = await Promise.all(
    ["ipv4", "ipv6"].map((family) => outcomeOf(["conntrack", "-L", "-f", family, "-o", "extended"])),
  );
  return lists
    .flatMap(({ stdout }) => stdout.split("\n"))
    .flatMap((line) => {
      const [, protocol, destination, port] =
        /(\w+) +\d+ \d+ .*?dst=(\S+) sport=1111 dport=(\d+)/.exec(line) ?? [];
      return destination === undefined ? [] : `${protocol} ${destination} ${port}`;
    })
    .sort();
}

describe.each<Backend>(["iptables", "nftables"])("%s", (backend) => {
  flowTest("M49: ADD ends flows to the host's addresses, and no others", async (host) => {
    const flows: Flow[] = [
      { source: "10.1.2.9", destination: "10.1.2.1" },
      { source: "127.0.0.1", destination: "127.0.0.1" },
      { source: "127.0.0.1", destination: "127.0.0.2" },
      { source: "fd00:2::9", destination: "fd00:2::1" },
      // To another host, to another port, and of another protocol.
      { source: "10.1.2.9", destination: "198.51.100.1" },
      { source: "fd00:2::9", destination: "2001:db8::53" },
      { source: "10.1.2.9", destination: "10.1.2.1", port: 54 },
      { source: "10.1.2.9", destination: "10.1.2.1", protocol: "tcp" },
    ];
    for (const flow of flows) await track(host, flow);
    expect(await tracked()).toHaveLength(flows.length);
    const pod = new Pod(host, undefined, { addresses: [V4, V6] });
    await pod.add(DNS, { backend });
    expect(await tracked()).toEqual([
      "tcp 10.1.2.1 53",
      "udp 10.1.2.1 54",
      "udp 198.51.100.1 53",
      "udp 2001:db8::53 53",
    ]);
    await pod.del();
    await host.run("conntrack -F");
  });

  flowTest("M49: with hostIP, only flows to that address", async (host) => {
    await track(host, { source: "10.1.2.9", destination: "10.1.2.1" });
    await track(host, { source: "127.0.0.1", destination: "127.0.0.1" });
    const pod = new Pod(host, undefined, { addresses: [V4] });
    await pod.add([{ ...DNS[0], hostPort: 53, containerPort: 5353, hostIP: "10.1.2.1" }], { backend });
    expect(await tracked()).toEqual(["udp 127.0.0.1 53"]);
    await pod.del();
    await host.run("conntrack -F");
  });

  flowTest("M50: DEL and GC end flows to the container's port, and no others", async (host) => {
    for (const command of ["DEL", "GC"]) {
      const pod = new Pod(host, undefined, { addresses: [V4, V6] });
      await pod.add(DNS, { backend });
      await track(host, { source: "192.0.2.9", destination: "10.1.2.1", from: ["10.1.2.3", 5353] });
      await track(host, { source: "2001:db8::9", destination: "fd00:2::1", from: ["fd00:2::3", 5353] });
      await track(host, { source: "192.0.2.9", destination: "192.0.2.1", from: ["10.1.2.4", 5353] });
      await track(host, { source: "192.0.2.8", destination: "192.0.2.7", from: ["10.1.2.3", 5354] });
      if (command === "DEL") await pod.del();
      else await collect(host, ["c9"]);
      expect(await tracked()).toEqual(["udp 192.0.2.1 53", "udp 192.0.2.7 53"]);
      await host.run("conntrack -F");
    }
  });

  flowTest("M50: a DEL after one that was killed ends the flows whose rules are gone", async (host) => {
    const pod = new Pod(host, undefined, { addresses: [V4, V6] });
    const track53 = async () => {
      await track(host, { source: "192.0.2.9", destination: "10.1.2.1", from: ["10.1.2.3", 5353] });
      await track(host, { source: "2001:db8::9", destination: "fd00:2::1", from: ["fd00:2::3", 5353] });
      await track(host, { source: "192.0.2.8", destination: "192.0.2.7", from: ["10.1.2.3", 5354] });
    };
    await track53();
    expect(`${await pod.call("DEL", DNS, { backend })}`).toStartWith("exit code 0");
    expect(await tracked()).toEqual(["udp 192.0.2.7 53"]);
    await host.run("conntrack -F");
    // A GC knows of flows by the rules alone.
    for (let when = 1, isKilled = true; isKilled; when++) {
      await pod.add(DNS, { backend });
      await track53();
      const trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e"];
      const strace = [...trace, `inject=sendto:signal=KILL:when=${when}`];
      isKilled = (await host.plugin("portmap", pod.request("DEL", []), strace)).exitCode !== 0;
      await collect(host, ["c9"]);
      expect([when, ...(await tracked())]).toEqual([when, "udp 192.0.2.7 53"]);
      await host.run("conntrack -F");
    }
  });
});
