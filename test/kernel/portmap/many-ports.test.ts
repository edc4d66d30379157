/** Hundreds of ports, as of a game server or a media relay: the work grows with them, and no faster (K5). */
import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { hostTests } from "../../support/host-test.ts";
import { testUnless, whyNoProgram } from "../../support/skip.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import { type Backend, Pod } from "./pod.ts";
import { V4, V6, withBridge } from "./scene.ts";

const MANY = 300;
const PORTS = Array.from({ length: MANY }, (_, index) => ({
  hostPort: 20_000 + index,
  containerPort: 30_000 + index,
  protocol: ["tcp", "udp"][index % 2] ?? "",
}));
/** Far fewer than there are ports. */
const MOST_DATAGRAMS = 100;

const ROWS: [string, Backend, boolean][] = [
  ["iptables", "iptables", false],
  ["nftables", "nftables", false],
];
if ((await whyNoLegacy()) === undefined) ROWS.push(["iptables-legacy", "iptables", true]);

hostTests({}, testUnless(whyNoProgram("strace"))).each(ROWS)(
  `K5, M47, M49: ${MANY} ports of two containers: %s`,
  async (host, _, backend, isLegacy) => {
    const programs = isLegacy ? await legacyHost() : undefined;
    await withBridge(async () => {
      const keys = { backend };
      const one = new Pod(host, undefined, { addresses: [V4, V6] });
      const two = new Pod(host, undefined, { addresses: ["10.1.2.4/24", "fd00:2::4/64"], containerId: "c2" });
      /** A call that sends few datagrams; an address of the host more or less does not matter. */
      const quiet = async (pod: Pod, command: string) => {
        const file = "/run/strace";
        // Without -f: iptables-legacy-restore asks the resolver for each port.
        const strace = ["strace", "-qq", "-o", file, "-e", "trace=sendto"];
        const outcome = await host.plugin("portmap", pod.request(command, PORTS, keys), strace);
        expect(`${outcome}`).toStartWith("exit code 0");
        expect(readFileSync(file, "utf8").split("\n").length).toBeLessThan(MOST_DATAGRAMS);
        await host.run(`rm ${file}`);
      };
      await quiet(one, "ADD");
      expect((await two.add(PORTS, keys)).match(/now on it leads to this container/g)).toHaveLength(MANY);
      await two.check(PORTS, keys);
      const { msg } = await one.failure("CHECK", PORTS, keys);
      // Each port by both families.
      expect(msg.match(/now leads to /g)).toHaveLength(2 * MANY);
      await quiet(two, "DEL");
      await quiet(one, "CHECK");
      await quiet(one, "DEL");
    })(host);
    await programs?.[Symbol.asyncDispose]();
  },
);
