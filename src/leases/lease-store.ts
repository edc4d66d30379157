/**
 * A network's leases under their lock (rules H47–H53, L6–L8): who holds what, while no other process that takes the lock
 * can change it. Answers come from the index, and are believed only as far as the directory confirms them.
 */
// Long because: what the index says and how the directory confirms it only make sense together.
import type { ContainerInterface } from "../cni/attachment.ts";
import { formatIp, type IpAddress } from "../net/ip.ts";
import { SystemError } from "../sys/errno.ts";
import type { FileLock } from "../sys/flock.ts";
import type { Interval } from "./address-map.ts";
import { type DirectoryState, distinguish, proofOf, sameState, stateOf } from "./directory-state.ts";
import { IndexFile } from "./index-file.ts";
import { BrokenIndexError } from "./index-image.ts";
import { contentsOf } from "./lease.ts";
import type { LeaseFile, LeaseFiles } from "./lease-files.ts";
import type { LeaseIndex } from "./lease-index.ts";
import { entryOf, scanLeases, unchanged } from "./lease-scan.ts";
import { type IndexEntry, NOBODY, ownerOf } from "./owner-table.ts";
import type { PreparedLease } from "./staged-lease.ts";

/** Files that are looked at for changes in place: four microseconds each. */
const SAMPLE = 8;

/** An index and what is known of its relation to the directory. */
interface Knowledge {
  readonly index: LeaseIndex;
  /** The whole image, if the index is not in its file yet. */
  readonly image: Uint8Array | undefined;
  /** Made from the directory under this lock, so that it needs no confirmation. */
  readonly fresh: boolean;
  readonly oddNames: ReadonlyMap<string, readonly string[]>;
}

export class LeaseStore implements Disposable {
  readonly files: LeaseFiles;
  private readonly lock: FileLock;
  private readonly boot: string | undefined;
  private readonly file: IndexFile;
  private knowledge: Knowledge | undefined;
  /** The directory as it was after the last change that is in the index; undefined if another's came between. */
  private state: DirectoryState | undefined;
  private changed = false;

  /** `boot` names the machine's boot, without which an index proves nothing. */
  constructor(files: LeaseFiles, lock: FileLock, boot: string | undefined) {
    this.files = files;
    this.lock = lock;
    this.boot = boot;
    this.file = new IndexFile(files.place, files.log);
  }

  /**
   * The leases of one attachment, those in the old format included (rule H53). With `sure` "none" is an answer only
   * after each file was looked at: a wrong one would leak a lease.
   */
  heldBy(attachment: ContainerInterface, { sure }: { sure: boolean }): LeaseFile[] {
    const contents = contentsOf(attachment);
    const claimed = this.claims(contents);
    const found = claimed.held.length > 0;
    if (this.trust().fresh || (!claimed.stale && (found || !sure))) return claimed.held;
    this.scan();
    return this.claims(contents).held;
  }

  /**
   * Looks at some files, others each time and all if they are few: another program can write a new owner into a file
   * without a trace in the directory.
   */
  inspectSome(): void {
    if (this.trust().fresh) return;
    const sample = this.ask((index) => index.sample(SAMPLE));
    if (!sample.every((entry) => unchanged(this.files, entry))) this.scan();
  }

  /** What is at an address: mostly one file or none. */
  at(address: IpAddress): LeaseFile[] {
    const canonical = formatIp(address);
    const found: LeaseFile[] = [];
    for (const name of [canonical, ...(this.trust().oddNames.get(canonical) ?? [])]) {
      const lease = this.files.read(name, address);
      if (lease !== undefined) found.push(lease);
    }
    return found;
  }

  /** All that holds an address, as the directory says now. What is released meanwhile may still come. */
  everything(): IteratorObject<IndexEntry> {
    if (!this.trust().fresh) this.scan();
    return this.ask((index) => index.entries());
  }

  /** Gives the first free address of the intervals to the lease; undefined if the index knows of none. */
  allocate(lease: PreparedLease, order: readonly Interval[]): IpAddress | undefined {
    for (;;) {
      const address = this.firstFree(order);
      if (address === undefined || this.publish(lease, address)) return address;
      if (this.trust().fresh) {
        // It came after the scan, by someone who does not lock.
        this.note((index) => index.insert({ owner: NOBODY, address, inode: 0n, changed: 0n }));
        this.state = undefined;
      } else {
        this.scan();
      }
    }
  }

  release({ name, address, content }: Omit<LeaseFile, "status">): void {
    this.change(() => this.files.remove(name));
    if (this.knowledge?.oddNames.has(formatIp(address))) this.forget();
    else
      this.note((index) =>
        index.remove({ owner: content === undefined ? NOBODY : ownerOf(content), address }),
      );
  }

  /** Notes the last reserved address of a set. @throws SystemError */
  writeHint(set: number, address: IpAddress): void {
    if (this.files.writeHint(set, address, { create: false })) return;
    this.change(() => this.files.writeHint(set, address, { create: true }));
  }

  /** Leaves what was learned and done to the next who takes the lock. Not to have done so costs the next a scan. */
  commit(): void {
    const { index, image, oddNames } = this.knowledge ?? {};
    if (index === undefined || this.boot === undefined || oddNames === undefined || oddNames.size > 0) return;
    if (!this.changed && image === undefined) return;
    const { path } = this.files;
    const [state, boot] = [this.state, this.boot];
    unlessSystemError(() => {
      if (state === undefined || !sameState(stateOf(path), state)) return;
      index.seal(proofOf(state, boot));
      if (image !== undefined) this.file.replace(image);
    });
  }

  [Symbol.dispose](): void {
    this.file[Symbol.dispose]();
    this.lock[Symbol.dispose]();
  }

  /** Files that the index says have one of the contents; stale if one of them has another. */
  private claims(contents: readonly string[]): { held: LeaseFile[]; stale: boolean } {
    const entries = this.ask((index) => {
      const found: IndexEntry[] = [];
      for (const content of contents) found.push(...index.find(ownerOf(content)));
      return found;
    });
    const held: LeaseFile[] = [];
    for (const { address } of entries) {
      for (const lease of this.at(address)) {
        if (lease.content !== undefined && contents.includes(lease.content)) held.push(lease);
      }
    }
    return { held, stale: held.length < entries.length };
  }

  private firstFree(order: readonly Interval[]): IpAddress | undefined {
    return this.ask((index) => {
      for (const interval of order) {
        const value = index.nextFree(interval);
        if (value !== undefined) return { family: interval.family, value };
      }
      return undefined;
    });
  }

  private publish(lease: PreparedLease, address: IpAddress): boolean {
    const name = formatIp(address);
    let done = this.change(() => lease.publish(address));
    if (!done && this.files.read(name, address) === undefined) {
      // An empty file, left by a crash between its creation and its writing, is not a lease (rule L2).
      done = this.change(() => {
        this.files.remove(name);
        return lease.publish(address);
      });
    }
    if (done) {
      this.note((index) => {
        index.insert(entryOf(address, lease.content, lease.status()));
      });
    }
    return done;
  }

  /** Changes the directory. If it was not as expected right before, the index does not cover it any more. */
  private change<T>(change: () => T): T {
    const { path } = this.files;
    const expected = this.state !== undefined && sameState(stateOf(path), this.state);
    this.changed = true;
    this.state = undefined;
    const result = change();
    // What has happened has happened: from here on only the index can suffer.
    if (expected) this.mark();
    return result;
  }

  /** Gives the directory a state that the next change by any process ends. */
  private mark(): void {
    unlessSystemError(() => {
      this.state = distinguish(this.files.path);
    });
  }

  /** Puts a change of the directory into the index, which grows when it must. */
  private note(put: (index: LeaseIndex) => void): void {
    const done = unlessSystemError(() => {
      if (this.knowledge === undefined) return;
      if (!this.knowledge.index.hasRoom()) {
        this.knowledge = { ...this.knowledge, ...this.knowledge.index.grown() };
      }
      put(this.knowledge.index);
    });
    if (!done) this.forget();
  }

  private ask<T>(question: (index: LeaseIndex) => T): T {
    try {
      return question(this.trust().index);
    } catch (error) {
      if (!(error instanceof BrokenIndexError)) throw error;
      this.forget();
      return question(this.scan().index);
    }
  }

  private forget(): void {
    this.knowledge = undefined;
    this.state = undefined;
  }

  /** What is known: by the index in its file, if the directory is as that says, else by a scan. */
  private trust(): Knowledge {
    if (this.knowledge !== undefined) return this.knowledge;
    const state = stateOf(this.files.path);
    try {
      const index = this.file.open();
      if (this.boot === undefined || index.proof !== proofOf(state, this.boot)) return this.scan();
      this.state = state;
      this.knowledge = { index, image: undefined, fresh: false, oddNames: new Map() };
      return this.knowledge;
    } catch (error) {
      if (!(error instanceof BrokenIndexError)) throw error;
      return this.scan();
    }
  }

  private scan(): Knowledge {
    this.state = undefined;
    this.mark();
    this.knowledge = { ...scanLeases(this.files, this.lastKnown()), fresh: true };
    return this.knowledge;
  }

  /** What can still be read of the index in its file: a file that is as it was need not be read again. */
  private *lastKnown(): Generator<IndexEntry> {
    try {
      yield* this.file.open().entries();
    } catch (error) {
      if (!(error instanceof BrokenIndexError)) throw error;
    }
  }
}

/** Does what only the index needs. False if the system or a broken index was in the way. */
function unlessSystemError(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (error instanceof BrokenIndexError || error instanceof SystemError) return false;
    throw error;
  }
}
