/**
 * A network's leases under their lock (rules H47–H53, L7, L8): the one place that knows who holds what while nobody
 * else can change it.
 */
import { CniError, code } from "../../cni/error.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { SystemError } from "../../sys/errno.ts";
import { FileLock, LockTimeoutError } from "../../sys/flock.ts";
import type { Interval } from "./allocator.ts";
import type { LeasePlace } from "./config.ts";
import { leaseContent, type Owner, oldContent } from "./lease.ts";
import type { LeaseFile, LeaseFiles, UnnamedLease } from "./lease-files.ts";

/** Long enough for a hundred others that read all their leases each time; runtimes give up after minutes. */
const LOCK_MILLISECONDS = 20_000;

export class LeaseStore implements Disposable {
  readonly files: LeaseFiles;
  readonly #lock: FileLock;
  #known: Map<string, LeaseFile> | undefined;

  private constructor(files: LeaseFiles, lock: FileLock) {
    this.files = files;
    this.#lock = lock;
  }

  /** Takes the lock. The directory must exist. @throws CniError code 11 when another holds it for too long, 5 else. */
  static open(files: LeaseFiles): LeaseStore {
    const path = files.at("lock");
    try {
      return new LeaseStore(files, FileLock.acquire(path, LOCK_MILLISECONDS));
    } catch (error) {
      if (error instanceof LockTimeoutError)
        throw new CniError(code.tryAgainLater, `cannot lock the leases: ${error.message}`);
      if (!(error instanceof SystemError)) throw error;
      throw new CniError(code.io, `cannot lock the leases: ${error.message}`, "", { cause: error });
    }
  }

  /** The leases of one attachment, those in the old format included (rule H53). */
  heldBy(owner: Owner): LeaseFile[] {
    const [content, old] = [leaseContent(owner), oldContent(owner)];
    return [...this.#all().values()].filter((lease) => lease.content === content || lease.content === old);
  }

  /** What holds an address. */
  holderOf(address: IpAddress): LeaseFile | undefined {
    return this.#all().get(formatIp(address));
  }

  /** Gives the first free address of the intervals to a lease; undefined if there is none. */
  allocate(lease: UnnamedLease, order: readonly Interval[]): IpAddress | undefined {
    for (const { family, from, to } of order) {
      for (let value = from; value <= to; value++) {
        const address = { family, value };
        if (!this.#all().has(formatIp(address)) && this.#publish(lease, address)) return address;
      }
    }
    return undefined;
  }

  #publish(lease: UnnamedLease, address: IpAddress): boolean {
    if (this.files.publish(lease, address)) return true;
    // The file is there and yet no lease: it is empty, left by a crash between its creation and its writing.
    if (this.files.read(formatIp(address), address) !== undefined) return false;
    this.files.remove(formatIp(address));
    return this.files.publish(lease, address);
  }

  release(lease: LeaseFile): void {
    this.files.remove(lease.name);
    this.#known?.delete(formatIp(lease.address));
  }

  #all(): Map<string, LeaseFile> {
    if (this.#known === undefined) {
      this.#known = new Map();
      for (const lease of this.files.all()) this.#known.set(formatIp(lease.address), lease);
    }
    return this.#known;
  }

  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }
}
