/**
 * Undo: a failure injected into every single system call of ADD that changes something. After each the host is as
 * before, and ADD works again (G7, G8, A45). strace does the injection, so that the built file is tested as it is.
 */
import { describe, expect } from "bun:test";
import { stateDifference } from "../../support/state-difference.ts";
import { attach, BRIDGE, hostLocal, IPAM_FILES, networkTest, prepare, STAYS, V4, V6 } from "./network.ts";
import { type Fault, traced } from "./traced.ts";

/** Calls that ADD uses to change something, and the errors they get. */
const INJECTIONS = [
  ["sendto", "EPERM"],
  ["write", "EIO"],
] as const;

/**
 * Link-local addresses of links that stand become valid in their own time. A busy kernel may join the anycast address of a
 * router twice, when forwarding begins and when the address is ready, and leaves it once.
 */
const SETTLING = [/^address \S+ .*"scope":"link"/, /^route .*"dst":"fe80::[^"]/, /^route .*"anycast"/];

const MASQUERADED = { isGateway: true, ipMasq: true, ipMasqBackend: "nftables" };

/** Keys, and whether another container is on the bridge with one of the two ranges, which must stay as it is. */
const CASES: readonly [string, object, neighbour: boolean][] = [
  [
    "a new bridge, dual-stack, gateway",
    { isGateway: true, ipam: { ...hostLocal(V4, V6), routes: [{ dst: "0.0.0.0/0" }] } },
    false,
  ],
  [
    "hairpin, isolation, mtu, layer 2",
    { hairpinMode: true, portIsolation: true, mtu: 1400, ipam: {} },
    false,
  ],
  ["beside a neighbour, dual-stack, masquerade", { ...MASQUERADED, ipam: hostLocal(V4, V6) }, true],
];

/**
 * A fault for each call of a clean run. On a busy machine the kernel begins a write to a setting again any number of
 * times, and strace counts each: writes are told apart by their files.
 */
function faultsFor(call: string, error: string, trace: readonly string[]): Fault[] {
  const made = trace.filter((line) => line.startsWith(`${call}(`));
  if (call !== "write") return made.map((_, index) => ({ what: `error=${error}:when=${index + 1}` }));
  const paths = made.flatMap((line) => /^write\(\d+<([^>]+)>/.exec(line)?.[1] ?? []);
  return [...new Set(paths)].map((path) => ({ what: `error=${error}:when=1`, path }));
}

const ROWS = CASES.flatMap(([what, keys, neighbour]) =>
  INJECTIONS.map(([call, error]) => [what, call, error, keys, neighbour] as const),
);

describe("a failing ADD leaves nothing", () => {
  networkTest.each(ROWS)("%s: %s fails with %s", async (host, _, call, error, keys, neighbour) => {
    const one = await prepare(host, "c1", keys);
    const standing = neighbour ? await attach(host, "c0", MASQUERADED) : undefined;
    const clean = async () => {
      await one.del();
      await host.run(
        standing === undefined
          ? `ip link del ${BRIDGE}; sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0`
          : `ip addr del fd77::1/64 dev ${BRIDGE}; sysctl -qw net.ipv6.conf.all.forwarding=0`,
      );
    };
    const { trace } = await traced(one, "ADD", call);
    await clean();
    let failures = 0;
    let before = await host.state();
    for (const fault of faultsFor(call, error, trace)) {
      const { outcome } = await traced(one, "ADD", call, fault);
      if (outcome.exitCode === 0) {
        // Settings that an attachment can live without: the plugin says so on stderr and goes on.
        await clean();
        continue;
      }
      failures++;
      const msg = String(outcome.json().msg);
      expect(msg).toMatch(/cannot|failed/);
      // By then the attachment was whole: it goes as by a DEL, and the bridge stays.
      const unwritten = msg.startsWith("cannot deliver the result");
      const after = await host.state();
      const mayDiffer = unwritten ? [...STAYS, /^fdb /] : [IPAM_FILES];
      const left = stateDifference(before, after, [...SETTLING, ...mayDiffer]);
      expect({ fault, msg, left }).toEqual({ fault, msg, left: [] });
      expect(await one.interfaces()).toEqual(["lo"]);
      before = after;
    }
    expect(failures).toBeGreaterThan(0);
    await one.add();
    await one.check();
    await one.del();
    await standing?.check();
    await standing?.del();
  });
});
