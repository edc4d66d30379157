/** Boots and network namespaces that come and go as a test says. */

import type { Boot } from "../../src/leases/boot.ts";
import type { NetnsRecord } from "../../src/leases/netns-record.ts";

export class FakeBoot implements Boot {
  #boots = 1;
  #cookies = 100n;
  readonly #netns = new Map<string, { inode: string; cookie: bigint }>();

  /** Makes a namespace at a path. The inode number is the lowest free one, as the kernel gives it. */
  addNetns(path: string): void {
    const used = new Set([...this.#netns.values()].map(({ inode }) => inode));
    let inode = 4_026_532_000;
    while (used.has(String(inode))) inode++;
    this.#netns.set(path, { inode: String(inode), cookie: this.#cookies++ });
  }

  removeNetns(path: string): void {
    this.#netns.delete(path);
  }

  /** Another boot id, and no namespace lives on. */
  reboot(): void {
    this.#boots++;
    this.#netns.clear();
  }

  id(): string {
    return this.#boots.toString(16).padStart(16, "0");
  }

  record(path: string): NetnsRecord | undefined {
    const netns = this.#netns.get(path);
    return netns && { boot: this.id(), netns, pidNamespace: "4026531836" };
  }

  async gone(records: readonly NetnsRecord[]): Promise<ReadonlySet<NetnsRecord>> {
    const living = new Set([...this.#netns.values()].map(({ cookie }) => cookie));
    return new Set(records.filter(({ netns }) => !living.has(netns.cookie)));
  }
}
