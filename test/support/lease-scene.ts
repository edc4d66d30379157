/** One network on a node: its leases, and containers that come and go, each in a namespace of its name. */
import { join } from "node:path";
import { toCniError } from "../../src/cni/error.ts";
import { FakeBoot } from "./fake-boot.ts";
import { addressesOf, type HostLocalCall, hostLocalOn } from "./host-local-call.ts";
import { LeaseDirectory } from "./lease-directory.ts";

export class LeaseScene implements Disposable {
  readonly leases = new LeaseDirectory();
  readonly boot = new FakeBoot();
  /** What the calls have said on stderr. */
  readonly lines: string[] = [];
  readonly #config: object;
  readonly #commands = hostLocalOn(this.boot);

  constructor(ipam: object, whole: object = {}) {
    this.#config = this.leases.network(ipam, whole);
  }

  /** The addresses of the result, "done", or the message of the error. */
  async call(
    command: "add" | "check" | "del" | "gc" | "status",
    containerId: string,
    more: Partial<HostLocalCall> = {},
  ): Promise<string> {
    const call = {
      config: this.#config,
      containerId,
      netns: netnsOf(containerId),
      lines: this.lines,
      ...more,
    };
    try {
      const result = await this.#commands[command](call);
      return result === undefined ? "done" : addressesOf(result).join();
    } catch (error) {
      return toCniError(error).message;
    }
  }

  /** ADD in the container's namespace, which is made unless it is there. */
  add(containerId: string, args = ""): Promise<string> {
    const netns = netnsOf(containerId);
    if (this.boot.record(netns) === undefined) this.boot.addNetns(netns);
    return this.call("add", containerId, { args });
  }

  async check(containerId: string): Promise<boolean> {
    return (await this.call("check", containerId)) === "done";
  }

  del(containerId: string): Promise<string> {
    return this.call("del", containerId);
  }

  /** The container ends, and its DEL never comes. */
  crash(containerId: string): void {
    this.boot.removeNetns(netnsOf(containerId));
  }

  path(name: string): string {
    return join(this.leases.path, name);
  }

  get index(): string {
    return join(this.leases.state, "net.index");
  }

  [Symbol.dispose](): void {
    this.leases[Symbol.dispose]();
  }
}

const netnsOf = (containerId: string): string => `/run/netns/${containerId}`;
