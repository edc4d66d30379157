/**
 * A network's leases under their lock (rules H47–H53, L6–L8): which attachment holds which address. No other process
 * that takes the lock can change them meanwhile. An answer of the index counts only if the directory confirms it.
 */
import type { ContainerInterface } from "../cni/attachment.ts";
import type { Interval } from "../net/interval.ts";
import { formatIp, type IpAddress } from "../net/ip.ts";
import type { FileStatus } from "../sys/file.ts";
import { type FileLock, lockFile } from "../sys/flock.ts";
import { randomBelow } from "../sys/random.ts";
import type { Boot } from "./boot.ts";
import { distinguish, stateOf } from "./directory-state.ts";
import { IndexFile } from "./index-file.ts";
import { contentsOf } from "./lease.ts";
import type { LeaseFile, LeaseFiles } from "./lease-files.ts";
import type { LeaseIndex } from "./lease-index.ts";
import { entryOf, isUnchanged, type Scan, scanLeases } from "./lease-scan.ts";
import type { StagedLease } from "./staged-lease.ts";

/** Files that are checked for changes in place; each costs four microseconds. */
const SAMPLE = 8;

const NONE: Scan["oddNames"] = new Map();

/**
 * The leases, locked until the store is disposed of. The directory must exist. The wait for the lock lasts until the
 * call's deadline, or at most `most` milliseconds.
 * @throws CniError code 11 if another process holds the lock for too long, code 5 if the file system has no locks.
 */
export async function openStore(files: LeaseFiles, boot: Boot, most?: number): Promise<LeaseStore> {
  const path = files.at("lock");
  let lock: FileLock | undefined;
  try {
    lock = lockFile(path, most);
    return new LeaseStore(files, lock, boot.id());
  } catch (error) {
    lock?.[Symbol.dispose]();
    throw (await import("./lock-failure.ts")).lockFailure(path, error);
  }
}

export class LeaseStore implements Disposable {
  readonly files: LeaseFiles;
  private readonly lock: FileLock;
  /** Without it an index cannot be used. */
  private readonly boot: string | undefined;
  private readonly file: IndexFile;
  /** The index as it was in its file. */
  private readonly filed: LeaseIndex | undefined;
  /** The index that is used; undefined if a scan is needed. */
  private index: LeaseIndex | undefined;
  /** Whether the index was made from the directory under this lock, so that it needs no confirmation. */
  private isFresh = false;
  private oddNames = NONE;
  /** The directory's state after the last change in the index; undefined if another program changed it in between. */
  private state: string | undefined;
  private isChanged = false;

  constructor(files: LeaseFiles, lock: FileLock, boot: string | undefined) {
    this.files = files;
    this.lock = lock;
    this.boot = boot;
    this.file = new IndexFile(files.place, files.log);
    this.filed = boot === undefined ? undefined : this.file.read(boot);
    const state = this.filed && stateOf(files.path);
    if (state === undefined || this.filed?.isOfState(state) !== true) return;
    this.index = this.filed;
    this.state = state;
  }

  /**
   * Checks a few files, chosen at random: another program can write another attachment into a file without a trace in
   * the directory.
   */
  inspectSome(): void {
    const index = this.trust();
    if (this.isFresh) return;
    const from = index.rows > SAMPLE ? randomBelow(index.rows) : 0;
    for (let count = 0; count < SAMPLE && count < index.rows; count++) {
      if (!isUnchanged(this.files, index.entry((from + count) % index.rows))) {
        this.scan();
        return;
      }
    }
  }

  /**
   * The leases of one attachment, including those in the old format (rule H53). With `isSure` it answers "none" only
   * after checking every file, since a wrong "none" would leak a lease.
   */
  heldBy(attachment: ContainerInterface, isSure: boolean): LeaseFile[] {
    const contents = contentsOf(attachment);
    for (;;) {
      const index = this.trust();
      const held: LeaseFile[] = [];
      let isStale = false;
      for (const content of contents) {
        for (const address of index.find(content)) {
          const before = held.length;
          for (const lease of this.at(address)) if (lease.content === content) held.push(lease);
          if (held.length === before) isStale = true;
        }
      }
      if (this.isFresh || (!isStale && (held.length > 0 || !isSure))) return held;
      this.scan();
    }
  }

  /** The files of an address: usually one or none. */
  at(address: IpAddress): LeaseFile[] {
    const canonical = formatIp(address);
    const found: LeaseFile[] = [];
    for (const name of [canonical, ...(this.oddNames.get(canonical) ?? [])]) {
      const lease = this.files.read(name, address);
      if (lease !== undefined) found.push(lease);
    }
    return found;
  }

  /** All files that hold an address, from a fresh scan. The caller may release each before it takes the next. */
  *everything(): Generator<LeaseFile> {
    const index = this.isFresh ? this.trust() : this.scan();
    // Backwards: the row that takes a removed row's place was visited before.
    for (let row = index.rows - 1; row >= 0; row--) yield* this.at(index.entry(row).address);
  }

  /** Gives the lease the first free address of the intervals; undefined if none is free. */
  allocate(lease: StagedLease, order: readonly Interval[]): IpAddress | undefined {
    for (;;) {
      const index = this.trust();
      let address: IpAddress | undefined;
      for (let at = 0; at < order.length && address === undefined; at++) {
        const interval = order[at];
        if (interval !== undefined) address = index.firstFree(interval);
      }
      if (address === undefined || this.publish(lease, address)) return address;
      if (this.isFresh) {
        // A program that does not take the lock created the file after the scan.
        this.enter(address, undefined, undefined);
      } else {
        this.scan();
      }
    }
  }

  release({ name, address }: Pick<LeaseFile, "name" | "address">): void {
    this.change(() => this.files.remove(name));
    if (!this.oddNames.has(formatIp(address))) this.index?.remove(address);
    else this.index = undefined;
  }

  /** Writes the last reserved address of a set. @throws SystemError */
  writeHint(set: number, address: IpAddress): void {
    if (this.files.writeHint(set, address, false)) return;
    this.change(() => this.files.writeHint(set, address, true));
  }

  /** Writes the index for the next process that takes the lock; without it, that process has to scan. */
  commit(): void {
    const { index, boot, state } = this;
    if (!this.isChanged || this.oddNames.size > 0) return;
    if (index === undefined || boot === undefined || state === undefined) return;
    if (stateOf(this.files.path) === state) this.file.write(index.seal(boot, state));
  }

  [Symbol.dispose](): void {
    this.file[Symbol.dispose]();
    this.lock[Symbol.dispose]();
  }

  private publish(lease: StagedLease, address: IpAddress): boolean {
    const name = formatIp(address);
    let isDone = this.change(() => lease.publish(address));
    if (!isDone && this.files.read(name, address) === undefined) {
      // An empty file, left by a crash between its creation and its writing, is not a lease (rule L2).
      isDone = this.change(() => {
        this.files.remove(name);
        return lease.publish(address);
      });
    }
    if (isDone) this.enter(address, lease.content, lease.status());
    return isDone;
  }

  /** Changes the directory. If another program changed it just before, the index no longer matches it. */
  private change<T>(change: () => T): T {
    const { path } = this.files;
    const isExpected = this.state !== undefined && stateOf(path) === this.state;
    this.isChanged = true;
    this.state = undefined;
    const result = change();
    if (isExpected) this.state = distinguish(path);
    return result;
  }

  /** Puts a file into the index. With a file of unknown status, the index is valid for this process only. */
  private enter(address: IpAddress, content: string | undefined, file: FileStatus | undefined): void {
    this.index?.insert(entryOf(address, content, file ?? { inode: 0n, changed: 0n }));
    if (file === undefined) this.state = undefined;
  }

  private trust(): LeaseIndex {
    return this.index ?? this.scan();
  }

  private scan(): LeaseIndex {
    // Before the scan, so that a change by another program during the scan is detected later.
    this.state = distinguish(this.files.path);
    const { index, oddNames } = scanLeases(this.files, this.index ?? this.filed);
    this.index = index;
    this.oddNames = oddNames;
    this.isFresh = true;
    this.isChanged = true;
    return index;
  }
}
