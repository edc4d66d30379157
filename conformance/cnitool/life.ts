/** A container's life with cnitool, each step judged by what the kernel and the files show. */
import { existsSync } from "node:fs";
import { type HostState, hostState } from "../../test/support/host-state.ts";
import { keptLeaseFolder } from "../../test/support/leftovers.ts";
import type { NamedNamespace } from "../../test/support/scratch-host.ts";
import { stateDifference } from "../../test/support/state-difference.ts";
import {
  answers,
  describeOutcome,
  hostVeths,
  leases,
  leftOf,
  linkNamed,
  links,
  masqueraded,
  NOTHING_LEFT,
  routes,
} from "../kernel-facts.ts";
import { Outside } from "../outside.ts";
import type { Scene } from "../scratch-lanes.ts";
import {
  BRIDGE,
  expectedResult,
  type Family,
  FIRST,
  GATEWAY,
  isAtLeast,
  LENGTH,
  NETWORK,
  type Version,
} from "./networks.ts";
import { type Cnitool, cachedResult, containerIdOf, type ToolOptions } from "./tool.ts";

/** What the configuration of a case asks for. */
export interface Wanted {
  readonly version: Version;
  readonly families: readonly Family[];
  /** Those that are not the first of their subnet. */
  readonly addresses?: Partial<Record<Family, string>>;
  readonly mac?: string;
  readonly mtu?: number;
  readonly backend?: "iptables" | "nftables";
  /** Interfaces that neighbours in the chain have added to the result, by how their names begin. */
  readonly added?: readonly string[];
  /** Whether a neighbour in the chain has moved the routes into a table of its own. */
  readonly movesRoutes?: boolean;
}

export class Life {
  readonly scene: Scene;
  readonly container: NamedNamespace;
  private readonly tool: Pick<Cnitool, "call">;
  private readonly wanted: Wanted;
  private readonly options: ToolOptions;

  constructor(
    scene: Scene,
    tool: Pick<Cnitool, "call">,
    container: NamedNamespace,
    wanted: Wanted,
    options: ToolOptions = {},
  ) {
    this.scene = scene;
    this.container = container;
    this.tool = tool;
    this.wanted = wanted;
    this.options = options;
  }

  call(command: string, options = this.options) {
    return this.tool.call(command, NETWORK, this.container, options);
  }

  /** The command ends well and says nothing. */
  async quiet(command: string): Promise<void> {
    const outcome = await this.call(command);
    this.scene.judge.same(
      `cnitool ${command} is quiet`,
      { exitCode: outcome.exitCode, stdout: outcome.stdout, stderr: outcome.stderr },
      { exitCode: 0, stdout: "", stderr: "" },
    );
  }

  /** The command ends well; neighbours may log. */
  async endsWell(command: string): Promise<void> {
    const outcome = await this.call(command);
    const { exitCode, stdout } = outcome;
    this.scene.judge.holds(`cnitool ${command}`, exitCode === 0 && stdout === "", describeOutcome(outcome));
  }

  /** ADD, its result, and all that the container and the host have by it. */
  async add(): Promise<void> {
    const { judge, host } = this.scene;
    const { backend, families, mac, mtu, version } = this.wanted;
    const outcome = await this.call("add");
    judge.require("cnitool add ends well", outcome.exitCode === 0, describeOutcome(outcome));
    const [end, gateway, ports, ways, rules, added] = await Promise.all([
      linkNamed(this.container, "eth0"),
      linkNamed(host, BRIDGE),
      hostVeths(host),
      routes(this.container),
      masqueraded(host),
      this.addedLinks(),
    ]);
    const inside = judge.present("eth0", end);
    const bridge = judge.present("the bridge", gateway);
    const port = judge.present(
      "the host's end",
      ports.find(({ index }) => index === inside.peerIndex),
    );

    judge.same("kind of eth0", [inside.kind, inside.up], ["veth", true]);
    judge.same("addresses of eth0", inside.addresses, this.addresses.map(withLength));
    if (mac !== undefined) judge.same("MAC of eth0", inside.mac, mac);
    if (mtu !== undefined) judge.same("mtu of eth0", inside.mtu, mtu);
    judge.same("port of the bridge", [port.master, port.up], [BRIDGE, true]);
    judge.same("addresses of the bridge", bridge.addresses, families.map(gatewayWithLength));
    if (this.wanted.movesRoutes !== true) {
      judge.same("routes of the container", ways, families.map(defaultRoute).sort());
    }
    const masqueradedOnes =
      backend === undefined ? [] : this.addresses.map(({ address }) => ({ backend, source: address }));
    judge.same("masqueraded", rules, masqueradedOnes);
    judge.same("leases", leases(NETWORK), this.leases());
    judge.holds("the result is kept", existsSync(cachedResult(NETWORK, this.container)), false);

    const { path: sandbox } = this.container;
    const reported = [bridge, port, { ...inside, sandbox }, ...added];
    judge.same(
      "result",
      JSON.parse(outcome.stdout),
      expectedResult({ version, addresses: this.addresses, links: reported, routesOf: families }),
    );
  }

  /** The container reaches its gateways and, if it is masqueraded, the machine outside. */
  async reaches(): Promise<void> {
    const { backend, movesRoutes } = this.wanted;
    const reach = async (to: string, own: string) => {
      // Routes in a table for the source are found by who names the source.
      const source = movesRoutes === true ? own : undefined;
      this.scene.judge.same(`${to} answers`, await answers(this.container, to, source), true);
    };
    await Promise.all(
      this.addresses.flatMap(({ family, address }) => [
        reach(GATEWAY[family], address),
        ...(backend === undefined ? [] : [reach(Outside.ADDRESS[family], address)]),
      ]),
    );
  }

  /** CHECK passes where the version has one; else cnitool says so itself. */
  async check(): Promise<void> {
    if (isAtLeast(this.wanted.version, "0.4.0")) return this.endsWell("check");
    const { exitCode, stderr } = await this.call("check");
    this.scene.judge.same("exit code of cnitool check", exitCode, 1);
    this.scene.judge.says("cnitool check", stderr, /does not support the CHECK command/);
  }

  /** CHECK fails, and says this. */
  async checkFails(message: RegExp): Promise<void> {
    const { exitCode, stderr } = await this.call("check");
    this.scene.judge.same("exit code of cnitool check", exitCode, 1);
    this.scene.judge.says("cnitool check", stderr, message);
  }

  /** The command fails, says this, and changes nothing. */
  async refused(command: string, message: RegExp, options = this.options): Promise<void> {
    const { judge } = this.scene;
    const before = await hostState();
    const { exitCode, stdout, stderr } = await this.call(command, options);
    judge.same(`exit code and stdout of cnitool ${command}`, [exitCode, stdout], [1, ""]);
    judge.says(`cnitool ${command}`, stderr, message);
    this.unchanged(`by the refused ${command}`, before, await hostState());
  }

  /** The command ends well, says nothing and changes nothing. */
  async changesNothing(command: string): Promise<void> {
    const before = await hostState();
    await this.quiet(command);
    this.unchanged(`by ${command}`, before, await hostState());
  }

  unchanged(what: string, before: HostState, after: HostState): void {
    this.scene.judge.same(`changed ${what}`, stateDifference(before, after, keptLeaseFolder(NETWORK)), []);
  }

  /** DEL, twice, and nothing is left of the container. */
  async del(): Promise<void> {
    await this.endsWell("del");
    await this.gone();
    await this.endsWell("del");
  }

  async gone(): Promise<void> {
    const { judge, host } = this.scene;
    judge.same("left on the host", await leftOf(host, NETWORK), NOTHING_LEFT);
    judge.same("left in the container", await linkNamed(this.container, "eth0"), undefined);
    judge.holds("the result is forgotten", !existsSync(cachedResult(NETWORK, this.container)), true);
  }

  get addresses(): { family: Family; address: string }[] {
    const { families, addresses = {} } = this.wanted;
    return families.map((family) => ({ family, address: addresses[family] ?? FIRST[family] }));
  }

  private leases(): Record<string, string> {
    const owner = `${containerIdOf(this.container)} eth0`;
    const sorted = this.addresses.map(({ address }) => address).sort();
    return Object.fromEntries(sorted.map((address) => [address, owner]));
  }

  private async addedLinks(): Promise<{ name: string; mac: string }[]> {
    const { added = [] } = this.wanted;
    if (added.length === 0) return [];
    const all = await links(this.scene.host);
    return added.flatMap((start) =>
      all.flatMap(({ name, mac }) => (name.startsWith(start) ? [{ name, mac }] : [])),
    );
  }
}

const withLength = ({ family, address }: { family: Family; address: string }) =>
  `${address}/${LENGTH[family]}`;
const gatewayWithLength = (family: Family) => `${GATEWAY[family]}/${LENGTH[family]}`;
const defaultRoute = (family: Family) => `default via ${GATEWAY[family]} dev eth0`;
