/** The set of attachments that GC must keep (rules A37, A39). */
import { hash64, now } from "#engine";
import type { ContainerInterface } from "./attachment.ts";

/**
 * A set of hashes, since a node may have a million attachments: 16 bytes each. A stale attachment with the hash of a
 * valid one (a chance of 1 in 10^9 among a million) is kept until the next GC, which uses another seed. A valid one is
 * never taken for stale.
 */
export class ValidAttachments implements Iterable<ContainerInterface> {
  private readonly source: () => Iterable<ContainerInterface>;
  /** Differs from call to call: microseconds since the start of the process. */
  private readonly seed = BigInt(Math.trunc(now() * 1000));
  private readonly hashes: Float64Array;

  /** `source` yields all attachments, each time that it is called. */
  constructor(source: () => Iterable<ContainerInterface>) {
    this.source = source;
    const hashes: number[] = [];
    for (const attachment of source()) {
      hashes.push(this.hash(nameOf(attachment)), this.hash(attachment.containerId));
    }
    this.hashes = Float64Array.from(hashes).sort();
  }

  get isEmpty(): boolean {
    return this.hashes.length === 0;
  }

  has(attachment: ContainerInterface): boolean {
    return this.holds(nameOf(attachment));
  }

  /** Whether any interface of the container is valid. */
  hasContainer(containerId: string): boolean {
    return this.holds(containerId);
  }

  [Symbol.iterator](): Iterator<ContainerInterface> {
    return this.source()[Symbol.iterator]();
  }

  /** 53 bits, which a number holds exactly. */
  private hash(text: string): number {
    return Number(hash64(text, this.seed) >> 11n);
  }

  private holds(text: string): boolean {
    const wanted = this.hash(text);
    let [from, to] = [0, this.hashes.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.hashes[middle] ?? 0) < wanted) from = middle + 1;
      else to = middle;
    }
    return this.hashes[from] === wanted;
  }
}

/** The line break is unambiguous: neither an id nor an interface name can contain one. */
const nameOf = ({ containerId, ifname }: ContainerInterface): string => `${containerId}\n${ifname}`;
