/** The world beyond a scratch host: a machine on a link of its own, which knows no way to any container. */
import { outcomeOf, outputOf } from "../test/support/command.ts";
import { eventually } from "../test/support/eventually.ts";
import { ask, HTTPD } from "./busybox.ts";

/** The addresses of the host on that link. */
export const HOST = { v4: "192.0.2.1", v6: "2001:db8::1" } as const;

/** The addresses of the machine outside; the walk-through has a route to 1.1.1.1. */
export const OUTSIDE = { v4: "192.0.2.2", v6: "2001:db8::2", walkThrough: "1.1.1.1" } as const;

const NAME = "outside";

/** Makes the machine, with a web server that says who asks, from the root file system of busybox.ts. */
export async function addOutside(root: string): Promise<void> {
  await outputOf(`set -e
    ip netns add ${NAME}
    ip link add uplink type veth peer name uplink0 netns ${NAME}
    ip addr add ${HOST.v4}/24 dev uplink
    ip addr add ${HOST.v6}/64 dev uplink nodad
    ip link set uplink up
    ip -n ${NAME} addr add ${OUTSIDE.v4}/24 dev uplink0
    ip -n ${NAME} addr add ${OUTSIDE.v6}/64 dev uplink0 nodad
    ip -n ${NAME} addr add ${OUTSIDE.walkThrough}/32 dev lo
    ip -n ${NAME} link set lo up
    ip -n ${NAME} link set uplink0 up
    ip route add default via ${OUTSIDE.v4}
    ip -6 route add default via ${OUTSIDE.v6}`);
  const server = outside(["chroot", root, ...HTTPD]);
  Bun.spawn(server, { stdin: "ignore", stdout: "ignore", stderr: "inherit" });
  for (const address of [OUTSIDE.v4, `[${OUTSIDE.v6}]`]) {
    const answers = async () => (await outcomeOf(["chroot", root, ...ask(address)])).exitCode === 0;
    await eventually(`the web server outside answers at ${address}`, answers);
  }
  // The kernel asks for no neighbour from an address that it is still trying out.
  const links = () => outputOf(`ip -6 -o addr show tentative; ip -n ${NAME} -6 -o addr show tentative`);
  await eventually("the link to the outside is at rest", async () => (await links()) === "", {
    state: links,
  });
}

/** The command that runs `command` on the machine outside. */
export const outside = (command: readonly string[]): string[] => ["ip", "netns", "exec", NAME, ...command];

/** Takes away what is left of a case that failed: all namespaces and links but these, firewall rules, leases. */
export async function clearNetwork(): Promise<void> {
  await outputOf(`for name in $(ls /run/netns); do [ $name = ${NAME} ] || ip netns delete $name; done
    for link in $(ip -o link | sed 's/^[0-9]*: \\([^@:]*\\).*/\\1/'); do
      case $link in lo|uplink) ;; *) ip link delete $link 2>&- ;; esac
    done
    nft flush ruleset
    rm -rf /var/lib/cni/networks/*`);
}
