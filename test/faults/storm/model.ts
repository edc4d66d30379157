/** What the storm knows of each attachment: what must be there, what must not, and what it has damaged itself. */
import type { Network } from "./networks.ts";

/** Parts of an attachment that the storm damages by hand. */
export const PARTS = ["namespace", "link", "bridge", "rules", "lease"] as const;
export type Part = (typeof PARTS)[number];

/** Whether a part is as ADD left it; "doubtful" when damage and an operation met. */
export type Health = "whole" | "doubtful" | "lost";

/** ADD's result, as far as the storm looks into it. */
export interface AddResult {
  readonly interfaces: readonly { name: string; mac: string; sandbox?: string }[];
  readonly ips: readonly { address: string; interface?: number }[];
}

/**
 * absent: nothing of it may be on the host. live: ADD gave a result, all of it must be there. uncertain: an operation
 * was killed or failed; the runtime has to DEL, and until then anything may be there.
 */
export type State = "absent" | "live" | "uncertain";

export class Attachment {
  readonly container: Container;
  readonly network: Network;
  readonly ifname: string;
  readonly key: string;
  /** As the lease has it. */
  readonly owner: string;
  state: State = "absent";
  result: AddResult | undefined;
  liveSince = 0;
  /** Goes up with all that is done to it, so that a look at the host knows whether it still counts. */
  stamp = 0;
  readonly #health = new Map<Part, Health>();
  /** Lease files that the storm has edited: path to what it wrote. */
  readonly edited = new Map<string, { content: string; kind: "garbage" | "owner"; since: number }>();
  /** Whether the host's end has another name than ADD gave it. */
  renamed = false;
  /** While an ADD of it runs although it is live. */
  repeating = false;
  /** Whether there may be flows to its published UDP port. */
  hasFlows = false;
  /** When a lease in this attachment's name was last written into another's file; undefined if there is none. */
  given: number | undefined;

  constructor(container: Container, network: Network) {
    this.container = container;
    this.network = network;
    this.ifname = network.ifname;
    this.key = `${network.name}/${container.name}/${this.ifname}`;
    this.owner = `${container.name}\r\n${this.ifname}`;
  }

  get addresses(): string[] {
    return (this.result?.ips ?? []).map(({ address }) => address.slice(0, address.indexOf("/")));
  }

  health(part: Part): Health {
    return this.#health.get(part) ?? "whole";
  }

  harm(part: Part, health: Exclude<Health, "whole">): void {
    if (this.health(part) !== "lost") this.#health.set(part, health);
    this.stamp++;
  }

  isWhole(...parts: readonly Part[]): boolean {
    return parts.every((part) => this.health(part) === "whole");
  }

  hasLost(...parts: readonly Part[]): boolean {
    return parts.some((part) => this.health(part) === "lost");
  }

  /**
   * An operation that began then has removed what was written in its name. What was written since, the operation may have
   * missed: it reads each file once.
   */
  forgetGiven(began: number): void {
    if (this.given !== undefined && this.given < began) this.given = undefined;
  }

  become(state: State, result?: AddResult): void {
    this.state = state;
    this.stamp++;
    if (state !== "uncertain") this.renamed = false;
    if (state === "live") {
      this.result = result;
      this.liveSince = performance.now();
      this.#health.clear();
    }
    if (state === "absent") {
      this.result = undefined;
      this.#health.clear();
    }
  }

  /**
   * Whether nobody else may get its addresses. An ADD that finds the link gone comes as far as the IPAM, fails there,
   * and gives back what the attachment had (rule A45).
   */
  isProtected(): boolean {
    const comesFar = this.repeating && !this.isWhole("link");
    return this.state === "live" && this.isWhole("namespace", "lease") && !comesFar;
  }
}

/** A container: a named namespace, and an attachment to each network. */
export class Container {
  readonly name: string;
  readonly path: string;
  readonly attachments: readonly Attachment[];
  /** A runtime does one thing at a time with a container (rule A41). */
  busy = false;
  there = false;
  /** While its namespace is being made or deleted. */
  changing = false;

  constructor(name: string, networks: readonly Network[]) {
    this.name = name;
    this.path = `/var/run/netns/${name}`;
    this.attachments = networks.map((network) => new Attachment(this, network));
  }
}

/** Keeps ADD and DEL of a network apart from its GC, as a runtime does (rule A41). */
export class NetworkGate {
  #running = 0;
  #closed = false;
  #waiting: (() => void) | undefined;

  enter(): boolean {
    if (this.#closed) return false;
    this.#running++;
    return true;
  }

  leave(): void {
    this.#running--;
    if (this.#running === 0) this.#waiting?.();
  }

  /** Waits until nobody is inside, and keeps others out; false when another GC has it. */
  async close(): Promise<boolean> {
    if (this.#closed) return false;
    this.#closed = true;
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    this.#waiting = undefined;
    return true;
  }

  open(): void {
    this.#closed = false;
  }

  get isClosed(): boolean {
    return this.#closed;
  }
}
