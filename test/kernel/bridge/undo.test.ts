/**
 * Undo: a failure injected into every single system call of ADD that changes something. After each the host is as
 * before, and ADD works again (G7, G8, A45). strace does the injection, so that the built file is tested as it is.
 */
import { describe, expect, test } from "bun:test";
import { TEST_LIMIT } from "../../support/limits.ts";
import { builtBinaries } from "../../support/plugin-call.ts";
import { stateDifference } from "../../support/state-difference.ts";
import {
  Attachment,
  BRIDGE,
  configuration,
  hostLocal,
  IPAM_FILES,
  STAYS,
  V4,
  V6,
  withNetwork,
} from "./network.ts";

/** Calls that ADD uses to change something, and the errors they get. */
const INJECTIONS: readonly [string, string][] = [
  ["sendto", "EPERM"],
  ["write", "EIO"],
];

/** An ADD with strace's options; the number of calls of the kind that it made. */
async function addUnderStrace(attachment: Attachment, call: string, inject?: string) {
  const { host, namespace, config } = attachment;
  const environment = `CNI_COMMAND=ADD CNI_CONTAINERID=${namespace.name} CNI_NETNS=${namespace.path} CNI_IFNAME=eth0 CNI_PATH=${builtBinaries()}`;
  const injection = inject === undefined ? "" : `-e inject=${call}:${inject}`;
  const command = `${environment} strace -o /run/strace.log -e trace=${call} ${injection} ${builtBinaries()}/bridge`;
  const output = await host.run(`${command} && echo "exit 0" || echo "exit 1"`, {
    stdin: JSON.stringify(config),
  });
  const calls = Number(await host.run(`grep -c '^${call}(' /run/strace.log || true; rm /run/strace.log`));
  return {
    failed: output.endsWith("exit 1\n"),
    document: output.slice(0, output.lastIndexOf("exit ")),
    calls,
  };
}

/** `neighbour`: another container has a second network on the bridge, which must stay as it is. */
interface Case {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly neighbour: boolean;
}

/** Link-local addresses of links that stand become valid in their own time. */
const SETTLING = [/^address \S+ .*"scope":"link"/, /^route .*"dst":"fe80::[^"]/];

const ROUTES = [{ dst: "0.0.0.0/0" }];

const CASES: readonly Case[] = [
  {
    name: "a new bridge, dual-stack, gateway",
    config: configuration({ isGateway: true, ipam: { ...hostLocal(V4, V6), routes: ROUTES } }),
    neighbour: false,
  },
  {
    name: "hairpin, isolation, mtu, layer 2",
    config: configuration({ hairpinMode: true, portIsolation: true, mtu: 1400, ipam: {} }),
    neighbour: false,
  },
  {
    name: "beside a neighbour, dual-stack, masquerade",
    config: configuration({
      isGateway: true,
      ipMasq: true,
      ipMasqBackend: "nftables",
      ipam: hostLocal(V4, V6),
    }),
    neighbour: true,
  },
];

describe("a failing ADD leaves nothing", () => {
  for (const { name, config, neighbour } of CASES) {
    test.each([...INJECTIONS])(
      `${name}: %s fails with %s`,
      (call, error) =>
        withNetwork(async (host) => {
          const container = await host.addNamespace("c1");
          const attachment = new Attachment(host, container, config);
          const other = new Attachment(
            host,
            await host.addNamespace("c0"),
            configuration({
              name: "testnet",
              isGateway: true,
              ipMasq: true,
              ipMasqBackend: "nftables",
              ipam: hostLocal(V4),
            }),
          );
          const standing = neighbour ? await other.add() : undefined;
          const clean = async () => {
            await attachment.del();
            if (standing !== undefined) {
              await host.run(
                `ip addr del fd77::1/64 dev ${BRIDGE}; sysctl -qw net.ipv6.conf.all.forwarding=0`,
              );
            } else {
              await host.run(
                `ip link del ${BRIDGE}; sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0`,
              );
            }
          };
          const { calls } = await addUnderStrace(attachment, call);
          await clean();
          let failures = 0;
          for (let when = 1; when <= calls; when++) {
            const before = await host.state();
            const { failed, document } = await addUnderStrace(
              attachment,
              call,
              `error=${error}:when=${when}`,
            );
            if (!failed) {
              // Settings that an attachment can live without: the plugin says so on stderr and goes on.
              await clean();
              continue;
            }
            failures++;
            const { msg } = JSON.parse(document) as { msg: string };
            // By then the attachment was whole: it goes as by a DEL, and the bridge stays.
            const unwritten = msg.startsWith("cannot deliver the result");
            const left = stateDifference(before, await host.state(), [
              ...SETTLING,
              ...(unwritten ? [...STAYS, /^fdb /, /anycast/] : [IPAM_FILES]),
            ]);
            expect({ when, msg, left }).toEqual({ when, msg, left: [] });
            expect(await container.json("ip -j link")).toHaveLength(1);
            expect(msg).toMatch(/cannot|failed/);
          }
          expect(failures).toBeGreaterThan(0);
          const result = await attachment.add();
          await attachment.check(result);
          await attachment.del();
          if (standing !== undefined) {
            await other.check(standing);
            await other.del();
          }
        }),
      TEST_LIMIT,
    );
  }
});
