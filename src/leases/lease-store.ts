/**
 * A network's leases under their lock (rules H47–H53, L6–L8): which attachment holds which address. No other process
 * that takes the lock can change them meanwhile. An answer of the index counts only if the directory confirms it.
 */
import type { ContainerInterface } from "../cni/attachment.ts";
import type { Interval } from "../net/interval.ts";
import { formatIp, type IpAddress, sameIp } from "../net/ip.ts";
import { type FileLock, lockFile } from "../sys/flock.ts";
import { randomBelow } from "../sys/random.ts";
import type { Boot } from "./boot.ts";
import { distinguish, stateOf } from "./directory-state.ts";
import { IndexFile } from "./index-file.ts";
import { contentsOf } from "./lease.ts";
import type { LeaseFile, LeaseFiles } from "./lease-files.ts";
import { DamagedIndexError, type LeaseIndex } from "./lease-index.ts";
import { entryOf, isUnchanged, type Scan, scanLeases } from "./lease-scan.ts";
import type { StagedLease } from "./staged-lease.ts";

/** Files that are checked for changes in place; each costs four microseconds. */
const SAMPLE = 8;

/** Addresses that are looked up one by one before the index is asked how long the row of held ones is. */
const TRIES = 8;

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
    const entries = this.ask((index) => index.some(SAMPLE, randomBelow));
    if (this.isFresh) return;
    for (const entry of entries) {
      if (isUnchanged(this.files, entry)) continue;
      this.scan();
      return;
    }
  }

  /**
   * The leases of one attachment, including those in the old format (rule H53). With `isSure` it answers "none" only
   * after checking every file, since a wrong "none" would leak a lease.
   */
  heldBy(attachment: ContainerInterface, isSure: boolean): LeaseFile[] {
    const contents = contentsOf(attachment);
    for (;;) {
      const held: LeaseFile[] = [];
      let isStale = false;
      for (const content of contents) {
        for (const address of this.ask((index) => index.find(content))) {
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
    for (const { address } of index.entries()) yield* this.at(address);
  }

  /**
   * Gives the lease the first free address of the intervals; undefined if none is free. The directory says which are free: the
   * index only helps to pass long rows of held ones.
   */
  allocate(lease: StagedLease, order: readonly Interval[]): IpAddress | undefined {
    this.trust();
    for (const { family, from, to } of order) {
      for (let value = from, tries = 0; value <= to; value++, tries++) {
        if (tries === TRIES) {
          value += this.ask((index) => index.run({ family, value }));
          tries = 0;
          if (value > to) break;
        }
        const address = { family, value };
        if (this.publish(lease, address)) return address;
      }
    }
    return undefined;
  }

  release({ name, address, content }: Pick<LeaseFile, "name" | "address" | "content">): void {
    this.change(() => this.files.remove(name));
    this.amend((index) => !this.oddNames.has(formatIp(address)) && index.remove(address, content));
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
    if (stateOf(this.files.path) === state) this.file.write(index, boot, state);
  }

  [Symbol.dispose](): void {
    this.file[Symbol.dispose]();
    this.lock[Symbol.dispose]();
  }

  /** Gives the lease this address. False if a file holds it. */
  private publish(lease: StagedLease, address: IpAddress): boolean {
    const name = formatIp(address);
    if (this.oddNames.has(name)) return false;
    let isDone = this.change(() => lease.publish(address));
    if (!isDone) {
      const holder = this.files.read(name, address);
      if (holder !== undefined) {
        this.requireKnown(holder);
        return false;
      }
      // An empty file, left by a crash between its creation and its writing, is not a lease (rule L2).
      isDone = this.change(() => {
        this.files.remove(name);
        return lease.publish(address);
      });
    }
    if (!isDone) return false;
    const file = lease.status();
    this.amend((index) => {
      if (file !== undefined) index.insert(entryOf(address, lease.content, file));
      return file !== undefined;
    });
    return true;
  }

  /** Makes the index anew if it does not know a file: it was made by a program that does not take the lock. */
  private requireKnown({ address, content }: LeaseFile): void {
    const known = this.ask((index) => index.find(content));
    if (known.some((each) => sameIp(each, address))) return;
    if (this.isFresh) this.state = undefined;
    else this.scan();
  }

  /** Changes the directory, unless `change` gives false. If another program has just changed it, the index does not match. */
  private change(change: () => unknown): boolean {
    const { path } = this.files;
    const before = this.state !== undefined && stateOf(path) === this.state ? this.state : undefined;
    this.isChanged = true;
    this.state = undefined;
    const isDone = change() !== false;
    if (before !== undefined) this.state = isDone ? distinguish(path) : before;
    return isDone;
  }

  /** Asks the index; if it proves to be damaged, a new one. */
  private ask<T>(question: (index: LeaseIndex) => T): T {
    try {
      return question(this.trust());
    } catch (error) {
      if (!(error instanceof DamagedIndexError)) throw error;
      return question(this.scan());
    }
  }

  /** Changes the index. It is given up if it is damaged, or if `change` says that it is not right any more. */
  private amend(change: (index: LeaseIndex) => boolean): void {
    try {
      if (this.index !== undefined && change(this.index)) return;
    } catch (error) {
      if (!(error instanceof DamagedIndexError)) throw error;
    }
    this.index = undefined;
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
