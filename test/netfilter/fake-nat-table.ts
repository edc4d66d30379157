/** A fake nat table for plans, with attachments in user data as in nf_tables, or in marker rules as in x_tables. */
import { attachmentMark } from "../../src/netfilter/attachment-names.ts";
import { type ChainState, chainState, marker, type Plan } from "../../src/netfilter/iptables/chain-state.ts";
import type { Change } from "../../src/netfilter/iptables/change.ts";
import { type FoundRule, type Rule, ruleText } from "../../src/netfilter/rule.ts";

type Line = FoundRule & { readonly rule: Rule };

export class FakeNatTable {
  readonly #keepsMarkers: boolean;
  #chains = new Set<string>();
  #lines: Line[] = [];
  #handle = 0n;
  /** Number of transactions. */
  writes = 0;

  constructor(keepsMarkers: boolean) {
    this.#keepsMarkers = keepsMarkers;
  }

  #texts(areMarkers: boolean): string[] {
    return this.#lines
      .filter(({ rule }) => (rule.verdict === "continue") === areMarkers)
      .map(({ chain, rule }) => `-A ${chain} ${ruleText(rule)}`);
  }

  /** Marker rules as iptables-save shows them. */
  get markers(): string[] {
    return this.#texts(true);
  }

  /** Rules as iptables-save shows them, without marker rules. */
  get listing(): string[] {
    return this.#texts(false);
  }

  get chains(): string[] {
    return [...this.#chains];
  }

  /** Adds a rule as another program would. */
  append(chain: string, rule: Rule): void {
    this.#chains.add(chain);
    this.#lines.push({ chain, rule, handle: ++this.#handle });
  }

  /** Deletes the rules that match, as another program would. */
  remove(match: (line: Line) => boolean): void {
    this.#lines = this.#lines.filter((line) => !match(line));
  }

  read(chain: string): ChainState | undefined {
    if (!this.#chains.has(chain)) return undefined;
    return chainState(
      chain,
      this.#lines.filter((line) => line.chain === chain),
      this.#lines.filter((line) => line.chain === "POSTROUTING" && line.rule.target === chain),
    );
  }

  update(chain: string, plan: Plan): void {
    const changes = plan(this.read(chain));
    if (changes.length > 0) this.writes++;
    for (const change of changes) this.#take(chain, change);
  }

  #take(own: string, change: Change): void {
    switch (change.action) {
      case "add chain":
        if (this.#chains.has(own)) throw new Error(`chain ${own} exists`);
        this.#chains.add(own);
        break;
      case "insert":
        this.#lines.unshift({ chain: change.chain, rule: change.rule, handle: ++this.#handle });
        break;
      case "append": {
        const { chain, rule, attachment } = change;
        this.#lines.push({
          chain,
          rule,
          handle: ++this.#handle,
          mark: attachment && !this.#keepsMarkers ? attachmentMark(attachment) : undefined,
        });
        if (attachment && rule.source && this.#keepsMarkers)
          this.append(own, marker(attachment, rule.source));
        break;
      }
      case "delete": {
        const at = this.#lines.findIndex(({ handle }) => handle === change.rule.handle);
        if (at < 0) throw new Error(`no rule ${change.rule.handle}`);
        this.#lines.splice(at, 1);
        break;
      }
      case "delete chain":
        this.#lines = this.#lines.filter((line) => line.chain !== own);
        if (this.#lines.some(({ rule }) => rule.target === own)) throw new Error(`chain ${own} is in use`);
        this.#chains.delete(own);
    }
  }
}
