/**
 * Calls whose outcome the plugin does not learn, or that fail for a moment: answers of the kernel that are lost, and
 * the way back out of the container's namespace. The built file under strace, whose clean run says where they are.
 */
import { expect } from "bun:test";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { type Attachment, hostLocal, IPAM_FILES, networkTest, prepare, V4, V6 } from "./network.ts";
import { traced } from "./traced.ts";

/** Ordinals among calls of recvfrom of those that follow a request which matches. */
function answersTo(trace: readonly string[], request: RegExp): number[] {
  let count = 0;
  let asked = false;
  return trace.flatMap((line) => {
    if (line.startsWith("sendto(")) asked = request.test(line);
    if (!line.startsWith("recvfrom(")) return [];
    count++;
    if (!asked) return [];
    asked = false;
    return [count];
  });
}

const DUAL = { isGateway: true, ipMasq: true, ipMasqBackend: "nftables", ipam: hostLocal(V4, V6) };

const cleaned = async (host: ScratchHost, one: Attachment) => {
  await one.del();
  await host.run("ip link del br0; sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
};

networkTest("G7: an ADD that never learns whether the kernel made something takes it away", async (host) => {
  const one = await prepare(host, "c1", DUAL);
  const clean = await traced(one, "ADD", "sendto,recvfrom");
  await cleaned(host, one);
  // The bridge, the veth pair, and the gateway's address in each family.
  const points = answersTo(clean.trace, /NLM_F_CREATE|0x600|NFT_MSG|BATCH/);
  expect(points.length).toBeGreaterThanOrEqual(4);
  for (const when of points) {
    const lost = () => traced(one, "ADD", "recvfrom", { what: `error=ENOBUFS:when=${when}` });
    const { outcome } = await host.unchangedBy(lost, [IPAM_FILES]);
    expect(`${when}: ${outcome}`).toStartWith(`${when}: exit code 1`);
    expect(outcome.json().msg).toMatch(/cannot|failed/);
  }
  await one.add();
  await cleaned(host, one);
});

networkTest(
  "G5: DEL says so when it can't find out whether there are rules, and never takes a failure for their absence",
  async (host) => {
    const one = await prepare(host, "c1", DUAL);
    await one.add();
    const clean = await traced(one, "DEL", "sendto,recvfrom");
    const points = answersTo(clean.trace, /nlmsg_type=(0xa10|NFNL_SUBSYS_NFTABLES<<8\|NFT_MSG_GETGEN)/);
    expect(points.length).toBeGreaterThan(0);
    for (const when of points) {
      await one.add();
      const { outcome } = await traced(one, "DEL", "recvfrom", { what: `error=ENOBUFS:when=${when}` });
      const rules = (await host.state()).filter((line) => /masq_checks.*c1|c1.*masq_checks/.test(line));
      if (outcome.exitCode === 0) expect({ when, rules }).toEqual({ when, rules: [] });
      await one.del();
    }
    await cleaned(host, one);
  },
);

networkTest("the way back from the container's namespace is tried again", async (host) => {
  const one = await prepare(host, "c1", DUAL);
  // Each second call leads back.
  for (const when of [2, 4]) {
    const { outcome, trace } = await traced(one, "ADD", "setns", { what: `error=ENOMEM:when=${when}` });
    expect(`${when}: ${outcome}`).toStartWith(`${when}: exit code 0`);
    expect(trace.filter((line) => line.includes("(INJECTED)"))).toHaveLength(1);
    await one.check(outcome.json());
    await one.del();
  }
  await cleaned(host, one);
});

networkTest("an error names the step, not only the call", async (host) => {
  const one = await prepare(host, "c1", DUAL);
  for (const [call, when, step] of [
    ["socket", 1, "cannot open a netlink socket: socket"],
    ["setns", 1, 'cannot enter netns "/var/run/netns/c1": enter the namespace'],
    // The first is the lock of the host's network, which an ADD can do without.
    ["flock", 2, "cannot lock the leases: lock"],
  ] as const) {
    const { outcome } = await traced(one, "ADD", call, { what: `error=EIO:when=${when}` });
    expect([outcome.exitCode, outcome.json().msg]).toEqual([1, expect.stringContaining(step)]);
  }
  await one.del();
});
