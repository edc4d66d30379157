/** What all workers of a storm share: the model, the story so far, and the count of what was done and found. */

import type { Intruder } from "../../support/intruder.ts";
import { type Flush, flushesFor } from "./flushes.ts";
import { History } from "./history.ts";
import { Container, NetworkGate } from "./model.ts";
import { type Network, networksOf, type StormKind } from "./networks.ts";

/** More containers than the tight network has addresses; enough for 8 workers to find one that is free. */
const CONTAINERS = 28;
/** A storm that goes wrong ends soon: the first violations say most. */
const ENOUGH = 5;

export class StormState {
  readonly binaries: string;
  readonly seed: number;
  readonly history = new History();
  readonly networks: readonly Network[];
  /** What takes away rules of any of them. */
  readonly flushes: readonly Flush[];
  readonly containers: readonly Container[];
  readonly gates: ReadonlyMap<string, NetworkGate>;
  readonly violations: string[] = [];
  /** Operations of plugins, faults by hand, and looks at the host, each by name. */
  readonly counts = new Map<string, number>();
  operations = 0;
  /** What is being done to an attachment now, by its key. */
  readonly running = new Map<string, string>();
  /** Things that go on in the background, such as locks that are held. */
  readonly pending = new Set<Promise<unknown>>();
  /** Rules that the last look at the host saw twice. */
  repeated: readonly string[] = [];
  /** Lease files that the storm has emptied: they may stay, for they are no leases. */
  readonly emptied = new Set<string>();
  /** The process that holds what it can now. */
  intruder: Intruder | undefined;
  /** While another one begins. */
  isIntruding = false;

  constructor(binaries: string, seed: number, kind: StormKind) {
    this.binaries = binaries;
    this.seed = seed;
    const networks = networksOf(kind);
    this.networks = networks;
    this.flushes = flushesFor(networks);
    this.containers = Array.from({ length: CONTAINERS }, (_, index) => new Container(`c${index}`, networks));
    this.gates = new Map(networks.map(({ name }) => [name, new NetworkGate()]));
  }

  get attachments() {
    return this.containers.flatMap(({ attachments }) => attachments);
  }

  get failed(): boolean {
    return this.violations.length >= ENOUGH;
  }

  count(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  /** Something that must not be. The last lines of the story about `subjects` go with it. */
  violation(what: string, ...subjects: readonly string[]): void {
    const now = subjects
      .flatMap((subject) => this.running.get(subject) ?? [])
      .map((doing) => `still running: ${doing}`);
    const story = [...this.history.story(subjects), ...now].map((line) => `\n    ${line}`);
    this.violations.push(`seed ${this.seed}, after ${this.operations} operations: ${what}${story.join("")}`);
    this.history.note(`VIOLATION ${what}`, ...subjects);
    // Said once: until its DEL nothing is expected of it any more.
    for (const attachment of this.attachments)
      if (subjects.includes(attachment.key)) attachment.become("uncertain");
  }

  /** Lets something go on beside the workers. */
  background(work: Promise<unknown>): void {
    this.pending.add(work);
    void work.finally(() => this.pending.delete(work));
  }
}
