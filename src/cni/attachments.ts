/** The attachments that GC must keep (rules A37, A39). */
import { hash64, now } from "#engine";
import type { ContainerInterface } from "./attachment.ts";

/**
 * A node may have a million of them, so they are not kept as objects: a sorted list of hashes answers, 16 bytes for each
 * of them. Two with one hash, by a chance of 1 in 10^9 among a million, keep what could go until the next GC, which hashes
 * otherwise; nothing valid is ever taken for stale.
 */
export class ValidAttachments implements Iterable<ContainerInterface> {
  private readonly source: () => Iterable<ContainerInterface>;
  /** Another for each call: microseconds since the start of the process. */
  private readonly seed = BigInt(Math.trunc(now() * 1000));
  private readonly hashes: Float64Array;

  /** `source` gives all of them each time that it is called. */
  constructor(source: () => Iterable<ContainerInterface>) {
    this.source = source;
    const hashes: number[] = [];
    for (const attachment of source()) {
      hashes.push(this.hash(nameOf(attachment)), this.hash(attachment.containerId));
    }
    this.hashes = Float64Array.from(hashes).sort();
  }

  /** Whether there is none at all. */
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

/** No id and no interface has a line break in it. */
const nameOf = ({ containerId, ifname }: ContainerInterface): string => `${containerId}\n${ifname}`;
