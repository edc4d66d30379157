/** What host-local promises, in the simplest words: a map of files, read from end to end for each question. */
import { formatIp, type IpAddress, parseIp } from "../../../src/net/ip.ts";

/** What a lease recorded of its attachment. It stays with the file, whatever is written into that. */
export interface Mark {
  readonly boot: number;
  readonly cookie: number;
  readonly content: string;
}

export interface ModelFile {
  content: string;
  mark: Mark | undefined;
}

/** The machine as the model sees it. */
export interface ModelWorld {
  readonly boot: number;
  readonly living: ReadonlySet<number>;
}

/** Result of an ADD: for each set the addresses that it may have given, or the error. */
export type Expected = { readonly given: readonly (readonly string[])[] } | { readonly error: string };

export class LeaseModel {
  readonly files = new Map<string, ModelFile>();
  readonly hints: (string | undefined)[] = [];
  /** Usable addresses of each set, ascending. */
  readonly sets: readonly (readonly string[])[];

  constructor(sets: readonly (readonly string[])[]) {
    this.sets = sets;
  }

  /** Plays an ADD. `choose` says which of several allowed addresses it was. */
  add(
    owner: string,
    world: ModelWorld,
    cookie: number | undefined,
    wish: string | undefined,
    choose: (allowed: readonly string[], set: number) => string,
  ): Expected {
    const taken: string[] = [];
    const given: string[][] = [];
    const held = this.#heldBy(owner);
    for (const [index, set] of this.sets.entries()) {
      const step = this.#addIn(
        set,
        index,
        held,
        world,
        wish !== undefined && set.includes(wish) ? wish : undefined,
      );
      if ("error" in step) {
        for (const address of taken) this.files.delete(address);
        return { error: step.error };
      }
      given.push(step.allowed);
      const address = choose(step.allowed, index);
      const mark = cookie === undefined ? undefined : { boot: world.boot, cookie, content: owner };
      this.files.set(address, { content: owner, mark });
      taken.push(address);
      if (!step.returned) this.hints[index] = address;
    }
    return { given };
  }

  #addIn(
    set: readonly string[],
    index: number,
    allHeld: readonly string[],
    world: ModelWorld,
    wish: string | undefined,
  ): { allowed: string[]; returned: boolean } | { error: string } {
    const held = allHeld.filter((address) => set.includes(address));
    if (held.some((address) => !this.#isDead(address, world))) return { error: "duplicate allocation" };
    for (const address of held) this.files.delete(address);
    const returned = held.length > 0;
    const wanted = wish !== undefined ? [wish] : returned ? held : this.#ring(set, index);
    const firstFree = (): string[] => {
      // Which of several of its own an attachment gets back is nobody's promise.
      if (wish === undefined && returned) return wanted.filter((address) => !this.#isHeld(address));
      return wanted.filter((address) => !this.#isHeld(address)).slice(0, 1);
    };
    if (firstFree().length === 0) {
      for (const address of wanted) if (this.#isDead(address, world)) this.files.delete(address);
    }
    const allowed = firstFree();
    if (allowed.length > 0) return { allowed, returned };
    return { error: wish === undefined ? "no IP addresses available" : "is not available in range set" };
  }

  del(owner: string): void {
    const exact = this.#with((content) => content === owner);
    const id = owner.split("\r\n")[0];
    for (const name of exact.length > 0 ? exact : this.#with((content) => content === id))
      this.files.delete(name);
  }

  check(owner: string): boolean {
    return this.#heldBy(owner).length > 0;
  }

  /** With an empty list what was recorded in a namespace that lives stays. */
  gc(valid: readonly string[], world: ModelWorld): void {
    const keep = new Set(valid.flatMap((owner) => [owner, owner.split("\r\n")[0]]));
    const stale = this.#with((content) => !keep.has(content) && /^\S+(\r\n\S+)?$/.test(content));
    for (const name of stale) if (valid.length > 0 || !this.#isAlive(name, world)) this.files.delete(name);
  }

  ready(world: ModelWorld): boolean {
    return this.sets.every((set) =>
      set.some((address) => !this.#isHeld(address) || this.#isDead(address, world)),
    );
  }

  /** Whether the file proves that nobody needs it any more. */
  isDead(name: string, world: ModelWorld): boolean {
    return this.#isDead(name, world);
  }

  #isDead(name: string, world: ModelWorld): boolean {
    return this.#isRecorded(name) && !this.#isAlive(name, world);
  }

  #isAlive(name: string, world: ModelWorld): boolean {
    const mark = this.files.get(name)?.mark;
    return this.#isRecorded(name) && mark?.boot === world.boot && world.living.has(mark.cookie);
  }

  /** Whether the file's record is of the owner that is in it. */
  #isRecorded(name: string): boolean {
    const file = this.files.get(name);
    return file?.mark !== undefined && file.mark.content === file.content.trim();
  }

  #isHeld(name: string): boolean {
    return (this.files.get(name)?.content.trim() ?? "") !== "";
  }

  #with(test: (content: string) => boolean): string[] {
    return [...this.files].flatMap(([name, { content }]) => {
      const trimmed = content.trim();
      return trimmed !== "" && test(trimmed) ? [name] : [];
    });
  }

  #heldBy(owner: string): string[] {
    return this.#with((content) => content === owner || content === owner.split("\r\n")[0]);
  }

  /** The set's addresses from behind the hint on. */
  #ring(set: readonly string[], index: number): string[] {
    const hint = value(this.hints[index]);
    const values = set.map((address) => value(address) ?? 0n);
    if (hint === undefined || !values.includes(hint)) return [...set];
    const at = values.indexOf(hint);
    return [...set.slice(at + 1), ...set.slice(0, at + 1)];
  }
}

const value = (text: string | undefined): bigint | undefined =>
  text === undefined ? undefined : parseIp(text)?.value;

/** Texts of the addresses from one to the other. */
export function addressesBetween(first: string, last: string): string[] {
  const [from, to] = [parseIp(first), parseIp(last)] as [IpAddress, IpAddress];
  const all: string[] = [];
  for (let next = from.value; next <= to.value; next++)
    all.push(formatIp({ family: from.family, value: next }));
  return all;
}
