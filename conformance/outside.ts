/** The world beyond a scratch host: a machine on a link of its own, which knows no way to any container. */
import { outcomeOf, outputOf } from "../test/support/command.ts";
import { eventually } from "../test/support/eventually.ts";
import { type NamedNamespace, ScratchHost } from "../test/support/scratch-host.ts";
import { ask, HTTPD } from "./busybox.ts";
import type { Place } from "./kernel-facts.ts";

const NAME = "outside";

/** A machine beyond the host that knows no way to containers: it answers only to what the host masquerades. */
export class Outside {
  static readonly ADDRESS = { 4: "192.0.2.2", 6: "2001:db8::2" } as const;
  /** The host's own, on the wire to that machine. */
  static readonly HOST = { 4: "192.0.2.1", 6: "2001:db8::1" } as const;

  readonly namespace: NamedNamespace;
  private readonly host: ScratchHost;

  private constructor(host: ScratchHost, namespace: NamedNamespace) {
    this.host = host;
    this.namespace = namespace;
  }

  static async open(host: ScratchHost): Promise<Outside> {
    const namespace = await host.addNamespace(NAME);
    await host.run(`set -e
      ip link add uplink type veth peer name uplink0 netns ${namespace.name}
      ip addr add ${Outside.HOST[4]}/24 dev uplink
      ip addr add ${Outside.HOST[6]}/64 dev uplink nodad
      ip link set uplink up`);
    await namespace.run(`set -e
      ip addr add ${Outside.ADDRESS[4]}/24 dev uplink0
      ip addr add ${Outside.ADDRESS[6]}/64 dev uplink0 nodad
      ip link set uplink0 up`);
    await atRest(host, "uplink", Outside.HOST[6]);
    await atRest(namespace, "uplink0", Outside.ADDRESS[6]);
    return new Outside(host, namespace);
  }

  /** Takes the wire away at once; a namespace that ends takes its own time. */
  async close(): Promise<void> {
    await this.host.run("ip link del uplink");
  }
}

/** The kernel makes addresses of IPv6 in its own time after a link is up, and its route to each of them last. */
async function atRest(place: Place, link: string, address: string): Promise<void> {
  const routes = () => place.run(`ip -6 route show table local dev ${link}`);
  await eventually(
    `${link} has its own addresses`,
    async () => {
      const made = await routes();
      return [address, "fe80:"].every((text) => made.includes(`local ${text}`));
    },
    { state: routes },
  );
}

/** The addresses of the host on that link. */
export const HOST = { v4: Outside.HOST[4], v6: Outside.HOST[6] } as const;

/** The addresses of the machine outside; the walk-through has a route to 1.1.1.1. */
export const OUTSIDE = { v4: Outside.ADDRESS[4], v6: Outside.ADDRESS[6], walkThrough: "1.1.1.1" } as const;

/** Makes the machine, with a web server that says who asks, from the root file system of busybox.ts. */
export async function addOutside(root: string): Promise<void> {
  const { namespace } = await Outside.open(new ScratchHost());
  await outputOf(`ip -n ${NAME} addr add ${OUTSIDE.walkThrough}/32 dev lo
    ip route add default via ${OUTSIDE.v4}; ip -6 route add default via ${OUTSIDE.v6}`);
  const server = namespace.inside(["chroot", root, ...HTTPD]);
  Bun.spawn(server, { stdin: "ignore", stdout: "ignore", stderr: "inherit" });
  for (const address of [OUTSIDE.v4, `[${OUTSIDE.v6}]`]) {
    const answers = async () => (await outcomeOf(["chroot", root, ...ask(address)])).exitCode === 0;
    await eventually(`the web server outside answers at ${address}`, answers);
  }
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
