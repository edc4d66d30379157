/**
 * Calls whose outcome the plugin does not learn, or that fail for a moment: answers of the kernel that are lost, and
 * the way back out of the container's namespace. The built file under strace, whose clean run says where they are.
 */
import { expect, test } from "bun:test";
import { TEST_LIMIT } from "../../support/limits.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { stateDifference } from "../../support/state-difference.ts";
import { Attachment, configuration, hostLocal, IPAM_FILES, V4, V6, withNetwork } from "./network.ts";

const LOG = "/run/strace.log";

/** A call of the plugin with strace's options in front; its exit code, what it printed, and the trace. */
async function traced(
  host: ScratchHost,
  { namespace, config }: Attachment,
  command: string,
  options: string,
) {
  const environment = `CNI_COMMAND=${command} CNI_CONTAINERID=${namespace.name} CNI_NETNS=${namespace.path} CNI_IFNAME=eth0 CNI_PATH=${builtBinaries()}`;
  const output = await host.run(
    `${environment} strace -o ${LOG} ${options} ${builtBinaries()}/bridge; echo "exit $?"`,
    { stdin: JSON.stringify(config) },
  );
  const end = output.lastIndexOf("exit ");
  const trace = await host.run(`cat ${LOG}; rm ${LOG}`);
  return { exitCode: Number(output.slice(end + 5)), stdout: output.slice(0, end), trace: trace.split("\n") };
}

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

const DUAL = configuration({
  isGateway: true,
  ipMasq: true,
  ipMasqBackend: "nftables",
  ipam: hostLocal(V4, V6),
});

const cleaned = async (host: ScratchHost, attachment: Attachment) => {
  await attachment.del();
  await host.run("ip link del br0; sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0");
};

test(
  "G7: an ADD that never learns whether the kernel made something takes it away",
  () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), DUAL);
      const clean = await traced(host, attachment, "ADD", "-e trace=sendto,recvfrom");
      await cleaned(host, attachment);
      // The bridge, the veth pair, and the gateway's address in each family.
      const points = answersTo(clean.trace, /NLM_F_CREATE|0x600|NFT_MSG|BATCH/);
      expect(points.length).toBeGreaterThanOrEqual(4);
      for (const when of points) {
        const before = await host.state();
        const inject = `-e trace=recvfrom -e inject=recvfrom:error=ENOBUFS:when=${when}`;
        const { exitCode, stdout } = await traced(host, attachment, "ADD", inject);
        const left = stateDifference(before, await host.state(), [IPAM_FILES]);
        expect({ when, exitCode, left }).toEqual({ when, exitCode: 1, left: [] });
        expect(JSON.parse(stdout)).toMatchObject({ msg: expect.stringMatching(/cannot|failed/) });
      }
      await attachment.add();
      await cleaned(host, attachment);
    }),
  TEST_LIMIT,
);

test(
  "G5: DEL says so when it can't find out whether there are rules, and never takes a failure for their absence",
  () =>
    withNetwork(async (host) => {
      const attachment = new Attachment(host, await host.addNamespace("c1"), DUAL);
      await attachment.add();
      const clean = await traced(host, attachment, "DEL", "-e trace=sendto,recvfrom");
      const points = answersTo(clean.trace, /nlmsg_type=(0xa10|NFNL_SUBSYS_NFTABLES<<8\|NFT_MSG_GETGEN)/);
      expect(points.length).toBeGreaterThan(0);
      for (const when of points) {
        await attachment.add();
        const inject = `-e trace=recvfrom -e inject=recvfrom:error=ENOBUFS:when=${when}`;
        const { exitCode } = await traced(host, attachment, "DEL", inject);
        const rules = (await host.state()).filter(
          (line) => line.includes("masq_checks") && line.includes("c1"),
        );
        if (exitCode === 0) expect({ when, rules }).toEqual({ when, rules: [] });
        await attachment.del();
      }
      await cleaned(host, attachment);
    }),
  TEST_LIMIT,
);

test("the way back from the container's namespace is tried again", () =>
  withNetwork(async (host) => {
    const attachment = new Attachment(host, await host.addNamespace("c1"), DUAL);
    // Each second call leads back.
    for (const when of [2, 4]) {
      const inject = `-e trace=setns -e inject=setns:error=ENOMEM:when=${when}`;
      const { exitCode, stdout, trace } = await traced(host, attachment, "ADD", inject);
      expect({
        when,
        exitCode,
        injected: trace.filter((line) => line.includes("(INJECTED)")).length,
      }).toEqual({
        when,
        exitCode: 0,
        injected: 1,
      });
      await attachment.check(JSON.parse(stdout));
      await attachment.del();
    }
    await cleaned(host, attachment);
  }));

test("an error names the step, not only the call", () =>
  withNetwork(async (host) => {
    const attachment = new Attachment(host, await host.addNamespace("c1"), DUAL);
    for (const [call, when, step] of [
      ["socket", 1, "cannot open a netlink socket: socket"],
      ["setns", 1, 'cannot enter netns "/var/run/netns/c1": enter the namespace'],
      // The first is the lock of the host's network, which an ADD can do without.
      ["flock", 2, "cannot lock the leases: lock"],
    ] as const) {
      const inject = `-e trace=${call} -e inject=${call}:error=EIO:when=${when}`;
      const { exitCode, stdout } = await traced(host, attachment, "ADD", inject);
      expect({ exitCode, error: JSON.parse(stdout) }).toMatchObject({
        exitCode: 1,
        error: { msg: expect.stringContaining(step) },
      });
    }
    await attachment.del();
  }));
