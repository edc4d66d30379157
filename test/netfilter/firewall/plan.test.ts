/** Plans of the firewall on a fake filter table, with owners as nf_tables keeps them, and without as x_tables. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Attachment } from "../../../src/cni/attachment.ts";
import { type Prefix, parsePrefix } from "../../../src/net/prefix.ts";
import { attachmentMark } from "../../../src/netfilter/attachment-names.ts";
import type { IngressPolicy, Wanted } from "../../../src/netfilter/firewall/layout.ts";
import {
  CNI_FORWARD,
  FORWARD,
  ingressDatum,
  parseRecord,
  STAGE_1,
  STAGE_2,
} from "../../../src/netfilter/firewall/layout.ts";
import { missingIn } from "../../../src/netfilter/firewall/missing.ts";
import { type Bridges, planSetUp } from "../../../src/netfilter/firewall/plan.ts";
import { planRemoval, rulesOfAttachment } from "../../../src/netfilter/firewall/plan-removal.ts";
import type { FilterChain, FilterState } from "../../../src/netfilter/firewall/state.ts";
import type { Change } from "../../../src/netfilter/iptables/change.ts";
import { datumType } from "../../../src/netfilter/nftables/base-chains.ts";
import { type FoundRule, ruleText } from "../../../src/netfilter/rule.ts";
import { textOf } from "../../../src/netlink/nftables/userdata.ts";

/** A filter table of IPv4. */
class FakeTable {
  readonly #keepsOwners: boolean;
  readonly #chains = new Map<string, FoundRule[]>();
  #handle = 0n;

  constructor(keepsOwners: boolean) {
    this.#keepsOwners = keepsOwners;
  }

  get state(): FilterState {
    const chains = new Map<string, FilterChain>();
    for (const [name, rules] of this.#chains) chains.set(name, { rules, size: rules.length, isOwn: true });
    const all = () => this.#chains.get(CNI_FORWARD) ?? [];
    return {
      family: 4,
      chains,
      adminChains: ["CNI-ADMIN"],
      unmarked: all,
      recorded: all,
      drops: false,
      isHooked: true,
    };
  }

  /** As iptables-save shows it. */
  get listing(): string[] {
    return [...this.#chains.values()]
      .flat()
      .map(({ chain, rule }) => `-A ${chain} ${rule && ruleText(rule)}`);
  }

  get chains(): string[] {
    return [...this.#chains.keys()].filter((chain) => chain !== FORWARD);
  }

  make(changes: readonly Change[]): number {
    for (const change of changes) this.#make(change);
    return changes.length;
  }

  #make(change: Change): void {
    switch (change.action) {
      case "add chain":
        if (this.#chains.has(change.chain)) throw new Error(`chain ${change.chain} exists`);
        this.#chains.set(change.chain, []);
        break;
      case "delete chain": {
        const users = [...this.#chains.values()].flat().filter(({ target }) => target === change.chain);
        const own = this.#chains.get(change.chain) ?? [];
        if (users.some((user) => !own.includes(user) && this.#chains.get(user.chain)?.includes(user)))
          throw new Error(`chain ${change.chain} is in use`);
        this.#chains.delete(change.chain);
        break;
      }
      case "delete": {
        const rules = this.#chains.get(change.rule.chain) ?? [];
        const at = rules.indexOf(change.rule);
        if (at < 0) throw new Error("no such rule");
        rules.splice(at, 1);
        break;
      }
      default: {
        const { chain, rule, attachment, userData, action } = change;
        if (chain === FORWARD && !this.#chains.has(FORWARD)) this.#chains.set(FORWARD, []);
        const rules = this.#chains.get(chain);
        if (rules === undefined) throw new Error(`no chain ${chain}`);
        if (rule.target !== undefined && !this.#chains.has(rule.target))
          throw new Error(`no target ${rule.target}`);
        const found: FoundRule = {
          chain,
          rule,
          target: rule.target,
          ...(this.#keepsOwners && {
            handle: ++this.#handle,
            mark: attachment && attachmentMark(attachment),
            ingress: textOf(userData, datumType.ingress),
          }),
        };
        if (action === "insert") rules.unshift(found);
        else rules.push(found);
      }
    }
  }
}

const BRIDGES: Bridges = { exists: () => true, mayHold: () => true };

const prefix = (number: number): Prefix => {
  const parsed = parsePrefix(`10.1.2.${number}/24`);
  if (parsed === undefined) throw new Error(`${number}`);
  return parsed;
};

const attachment = (number: number, network = "net1"): Attachment => ({
  network,
  containerId: `c${number}`,
  ifname: "eth0",
});

const wanted = (number: number, policy: IngressPolicy = "open", keys: Partial<Wanted> = {}): Wanted => ({
  attachment: attachment(number),
  addresses: [prefix(number)],
  adminChain: "CNI-ADMIN",
  acceptPublished: true,
  ingress: { policy, bridge: "br0" },
  ...keys,
});

const add = (table: FakeTable, want: Wanted) => table.make(planSetUp(want, table.state, BRIDGES));
const del = (table: FakeTable, number: number, network = "net1") => {
  const addresses = [prefix(number).address];
  const isRemoved = rulesOfAttachment(attachment(number, network), addresses);
  return table.make(planRemoval(table.state, isRemoved, BRIDGES, "br0"));
};

describe.each([
  ["owners in user data", true],
  ["no owners", false],
])("%s", (_, keepsOwners) => {
  const fresh = () => new FakeTable(keepsOwners);

  test("F34: after ADD nothing is missing, a second ADD changes nothing, DEL leaves nothing", () => {
    for (const policy of ["open", "same-bridge", "isolated"] as const) {
      const table = fresh();
      add(table, wanted(3, policy));
      expect(missingIn(wanted(3, policy), table.state, "t")).toEqual([]);
      expect(add(table, wanted(3, policy))).toBe(0);
      del(table, 3);
      expect([table.chains, table.listing]).toEqual([[], []]);
    }
  });

  test("F33: whatever comes and goes, the bridge has the last ADD's policy, and the last DEL leaves nothing", () => {
    const step = fc.record({
      number: fc.integer({ min: 3, max: 6 }),
      policy: fc.constantFrom<IngressPolicy>("open", "same-bridge", "isolated"),
      adds: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const table = fresh();
        for (const { number, policy, adds } of steps) {
          if (!adds) del(table, number);
          else {
            add(table, wanted(number, policy));
            if (policy !== "open") expect(missingIn(wanted(number, policy), table.state, "t")).toEqual([]);
            expect(add(table, wanted(number, policy))).toBe(0);
          }
        }
        for (let number = 3; number <= 6; number++) del(table, number);
        expect([table.chains, table.listing]).toEqual([[], []]);
      }),
    );
  });

  test("F36: rules that the reference wrote several times are there once", () => {
    const table = fresh();
    add(table, wanted(3, "isolated"));
    const { chains } = table.state;
    for (const name of [FORWARD, CNI_FORWARD, STAGE_1, STAGE_2]) {
      for (const { chain, rule } of chains.get(name)?.rules.slice() ?? [])
        if (rule !== undefined) table.make([{ action: "append", chain, rule }]);
    }
    add(table, wanted(3, "isolated"));
    expect(table.listing).toHaveLength(11);
    expect(missingIn(wanted(3, "isolated"), table.state, "t")).toEqual([]);
  });

  test("F9: the isolation comes first, whatever was there before", () => {
    const table = fresh();
    add(table, wanted(3));
    add(table, wanted(4, "isolated"));
    const order = table.listing.filter((line) => line.startsWith("-A FORWARD"));
    expect(order.map((line) => line.split(" -j ")[1])).toEqual([STAGE_1, CNI_FORWARD]);
  });
});

test("F30: an attachment's rules are not those of another one with its address", () => {
  const table = new FakeTable(true);
  add(table, wanted(3));
  add(table, wanted(3, "open", { attachment: attachment(4) }));
  expect(table.listing.filter((line) => line.includes("10.1.2.3"))).toHaveLength(6);
  del(table, 3);
  expect(missingIn(wanted(3, "open", { attachment: attachment(4) }), table.state, "t")).toEqual([]);
});

test("F33: another network on the bridge keeps its policy", () => {
  const table = new FakeTable(true);
  add(table, wanted(3, "isolated"));
  add(table, wanted(4, "open", { attachment: attachment(4, "net2") }));
  expect(missingIn(wanted(3, "isolated"), table.state, "t")).toEqual([]);
  // The same network may weaken it.
  add(table, wanted(5, "open"));
  expect(table.listing.filter((line) => line.includes("br0"))).toEqual([]);
});

test("F33: the record of a bridge is read as it was written", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<IngressPolicy>("open", "same-bridge", "isolated"),
      fc.stringMatching(/^[!-~]{1,15}$/),
      fc.option(fc.stringMatching(/^[!-~]{1,15}$/), { nil: undefined }),
      (policy, bridge, isolatedPort) => {
        const { value } = ingressDatum({ policy, bridge, isolatedPort });
        const text = new TextDecoder().decode(value.subarray(0, -1));
        expect(parseRecord(text)).toEqual({ policy, bridge, isolatedPort });
      },
    ),
  );
  for (const text of [undefined, "", "cni-ingress", "cni-ingress zz br0 ", "other open br0 "])
    expect(parseRecord(text)).toBeUndefined();
});
