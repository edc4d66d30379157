/**
 * A host with a bridge, containers on it, a router behind the host's uplink, and a foreign network that the host
 * forwards for. Nobody outside knows a way back to the containers, so only what was masqueraded could be answered;
 * the tests look at the sender of each datagram.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { outputOf } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { linesOf } from "../../support/lines.ts";
import { type NamedNamespace, type ScratchHost, withScratchHost } from "../../support/scratch-host.ts";

const PROGRAM = `${import.meta.dir}/udp.ts`;

/** Collects what arrives in a namespace. */
export class Listener implements AsyncDisposable {
  readonly lines: string[] = [];
  private readonly child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  private readonly port: number;

  private constructor(child: Bun.Subprocess<"ignore", "pipe", "inherit">, port: number) {
    this.child = child;
    this.port = port;
    void this.read();
  }

  /** @param where undefined for the host itself */
  static async start(where: NamedNamespace | undefined, port: number, group = ""): Promise<Listener> {
    const command = [process.execPath, PROGRAM, "listen", String(port), ...(group === "" ? [] : [group])];
    const child = Bun.spawn(where === undefined ? command : where.inside(command), {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    const listener = new Listener(child, port);
    await eventually("the listener is ready", () => listener.lines.includes("ready"));
    return listener;
  }

  private async read(): Promise<void> {
    for await (const line of linesOf(this.child.stdout)) this.lines.push(line);
  }

  /** Sends a datagram to this listener at an address; its sender as it arrives. */
  async heard(from: NamedNamespace | undefined, address: string, text: string): Promise<string> {
    await send(from, address, this.port, text);
    return this.senderOf(text);
  }

  /** Sender of the datagram with this text. */
  async senderOf(text: string): Promise<string> {
    const line = await eventually(
      `a datagram "${text}" arrives`,
      () => this.lines.find((candidate) => candidate.endsWith(` ${text}`)),
      { state: () => this.lines },
    );
    return line.slice(0, line.indexOf(" "));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill("SIGKILL");
    await this.child.exited;
  }
}

/** Sends one datagram from a namespace, or from the host. */
export const send = (
  from: NamedNamespace | undefined,
  address: string,
  port: number,
  text: string,
): Promise<string> => {
  const command = [process.execPath, PROGRAM, "send", address, String(port), text];
  return outputOf(from === undefined ? command : from.inside(command));
};

/** A container on the bridge: `veth-NAME` is its port. */
export interface Container {
  readonly namespace: NamedNamespace;
  readonly port: string;
  readonly addresses: readonly string[];
}

export interface Network {
  /** Adds a container; its first IPv4 and IPv6 address decide which of the host's is its gateway. */
  container(name: string, ...addresses: string[]): Promise<Container>;
  readonly outside: NamedNamespace;
  readonly foreign: NamedNamespace;
}

const SYSCTLS = [
  ...["ipv4/ip_forward", "ipv4/conf/all/forwarding", "ipv4/conf/default/forwarding"],
  ...["ipv6/conf/all/forwarding", "ipv6/conf/default/forwarding"],
];

/**
 * Gives `body` a host with such a network, and takes the network away afterwards: what is different then on the host
 * was left by what the test is about, and fails it.
 */
export const withNetwork = (body: (host: ScratchHost, network: Network) => Promise<void>): Promise<void> =>
  withScratchHost(async (host) => {
    const before = SYSCTLS.map((name) => [name, readFileSync(`/proc/sys/net/${name}`, "utf8")] as const);
    await body(host, await buildNetwork(host));
    // With a namespace its links go too, but some time later.
    const ports = (await host.json<{ ifname: string }[]>("ip -j link show type veth")).map(
      ({ ifname }) => ifname,
    );
    for (const name of [...ports, "br0"]) await host.run(["ip", "link", "delete", name]);
    await host.removeNamespaces();
    for (const [name, value] of before) writeFileSync(`/proc/sys/net/${name}`, value);
  });

/** Everything but rules. The host is 10.1.2.1, 10.1.3.1 and fd00:2::1 to containers, 192.0.2.1 and 2001:db8::1 outside. */
async function buildNetwork(host: ScratchHost): Promise<Network> {
  await host.run(`
    set -e
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    ip link add br0 type bridge
    ip addr add 10.1.2.1/24 dev br0
    ip addr add 10.1.3.1/24 dev br0
    ip addr add fd00:2::1/64 dev br0 nodad
    ip addr add fd00:3::1/64 dev br0 nodad
    ip link set br0 up`);
  const outside = await host.addNamespace("outside");
  await wire(host, outside, "wan", ["192.0.2.1/24", "2001:db8::1/64"], ["192.0.2.2/24", "2001:db8::2/64"]);
  const foreign = await host.addNamespace("foreign");
  await wire(host, foreign, "lan", ["10.50.0.1/24", "fd00:50::1/64"], ["10.50.0.2/24", "fd00:50::2/64"]);
  await foreign.run("ip route add default via 10.50.0.1; ip -6 route add default via fd00:50::1");
  let number = 2;
  return {
    outside,
    foreign,
    async container(name, ...addresses) {
      const namespace = await host.addNamespace(name);
      const port = `veth-${name}`;
      const mac = `02:00:00:00:00:${(++number).toString(16).padStart(2, "0")}`;
      await host.run(`
        set -e
        ip link add ${port} type veth peer name eth0 address ${mac} netns ${name}
        ip link set ${port} master br0 up`);
      await namespace.run(`
        set -e
        ${addresses.map((address) => `ip addr add ${address} dev eth0 nodad`).join("\n")}
        ip link set eth0 up
        ip route add default via ${addresses.some((text) => text.startsWith("10.1.3.")) ? "10.1.3.1" : "10.1.2.1"}
        ip -6 route add default via fd00:${addresses.some((text) => text.startsWith("fd00:3")) ? 3 : 2}::1`);
      return { namespace, port, addresses };
    },
  };
}

/** A veth pair from the host to a namespace, with addresses on both ends. */
async function wire(
  host: ScratchHost,
  namespace: NamedNamespace,
  name: string,
  here: readonly string[],
  there: readonly string[],
): Promise<void> {
  await host.run(`
    set -e
    ip link add ${name} type veth peer name eth0 netns ${namespace.name}
    ${here.map((address) => `ip addr add ${address} dev ${name} nodad`).join("\n")}
    ip link set ${name} up`);
  await namespace.run(`
    set -e
    ${there.map((address) => `ip addr add ${address} dev eth0 nodad`).join("\n")}
    ip link set eth0 up`);
}
