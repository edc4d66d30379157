/** The nat table as a list of lines, for plans. Keeps attachments as nf_tables does, or in notes as x_tables does. */
import type { AddressRule } from "../../src/netfilter/address-rule.ts";
import { iptablesText } from "../../src/netfilter/address-rule.ts";
import { attachmentMark } from "../../src/netfilter/attachment-names.ts";
import {
  type ChainState,
  chainState,
  note,
  type Step,
  type StoredRule,
} from "../../src/netfilter/iptables/state.ts";

interface Line {
  readonly chain: string;
  readonly rule: AddressRule;
  readonly mark?: string;
  readonly handle: bigint;
}

export class FakeNatTable {
  readonly #keepsNotes: boolean;
  #chains = new Set<string>();
  #lines: Line[] = [];
  #handle = 0n;
  /** How many transactions there were. */
  writes = 0;

  constructor(keepsNotes: boolean) {
    this.#keepsNotes = keepsNotes;
  }

  /** Notes as iptables-save shows them. */
  get notes(): string[] {
    return this.#lines
      .filter(({ rule }) => rule.action === "continue")
      .map(({ chain, rule }) => `-A ${chain} ${iptablesText(rule)}`);
  }

  /** Rules as iptables-save shows them, notes left out. */
  get listing(): string[] {
    return this.#lines
      .filter(({ rule }) => rule.action !== "continue")
      .map(({ chain, rule }) => `-A ${chain} ${iptablesText(rule)}`);
  }

  get chains(): string[] {
    return [...this.#chains];
  }

  /** Adds a rule as another program would. */
  append(chain: string, rule: AddressRule): void {
    this.#chains.add(chain);
    this.#add(chain, rule);
  }

  /** Deletes the rules that match, as another program would. */
  remove(match: (line: { chain: string; rule: AddressRule }) => boolean): void {
    this.#lines = this.#lines.filter((line) => !match(line));
  }

  read(chain: string): ChainState | undefined {
    if (!this.#chains.has(chain)) return undefined;
    const leads = ({ rule }: Line) =>
      typeof rule.action === "object" && "jump" in rule.action && rule.action.jump === chain;
    return chainState(
      chain,
      this.#lines.filter((line) => line.chain === chain).map(stored),
      this.#lines.filter((line) => line.chain === "POSTROUTING" && leads(line)).map(stored),
    );
  }

  update(chain: string, plan: (state: ChainState | undefined) => readonly Step[]): void {
    const steps = plan(this.read(chain));
    if (steps.length > 0) this.writes++;
    for (const step of steps) this.#take(chain, step);
  }

  #take(chain: string, step: Step): void {
    switch (step.kind) {
      case "add chain":
        if (this.#chains.has(chain)) throw new Error(`chain ${chain} exists`);
        this.#chains.add(chain);
        break;
      case "insert":
        this.#lines.unshift({ chain, rule: step.rule, handle: ++this.#handle });
        break;
      case "append":
        this.#add(chain, step.rule);
        break;
      case "add jump": {
        if (step.rule.source === undefined) throw new Error("no rule of B28");
        this.#add("POSTROUTING", step.rule, this.#keepsNotes ? undefined : attachmentMark(step.attachment));
        if (this.#keepsNotes) this.#add(chain, note(step.attachment, step.rule.source));
        break;
      }
      case "delete rule":
        this.#delete(step.rule);
        break;
      case "delete jump":
        this.#delete(step.jump);
        if (step.jump.note !== undefined) this.#delete(step.jump.note);
        break;
      case "delete chain":
        this.#lines = this.#lines.filter((line) => line.chain !== chain);
        if (
          this.#lines.some(
            ({ rule }) =>
              typeof rule.action === "object" && "jump" in rule.action && rule.action.jump === chain,
          )
        )
          throw new Error(`chain ${chain} is in use`);
        this.#chains.delete(chain);
    }
  }

  #add(chain: string, rule: AddressRule, mark?: string): void {
    this.#lines.push({ chain, rule, handle: ++this.#handle, ...(mark !== undefined && { mark }) });
  }

  #delete({ handle }: StoredRule): void {
    const at = this.#lines.findIndex((line) => line.handle === handle);
    if (at < 0) throw new Error(`no rule ${handle}`);
    this.#lines.splice(at, 1);
  }
}

const stored = ({ rule, handle, mark }: Line): StoredRule => ({
  rule,
  handle,
  ...(mark !== undefined && { mark }),
});
