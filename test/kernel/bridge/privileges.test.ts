/** Least privilege: what each command needs of capabilities(7), no more; and what it says when one is missing. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { hostTests } from "../../support/host-test.ts";
import { builtBinaries, type PluginOutcome } from "../../support/plugin-call.ts";
import { type Capability, callWith, type Privileges } from "../../support/privileges.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless } from "../../support/skip.ts";
import { stateDifference } from "../../support/state-difference.ts";
import { legacyHost, whyNoLegacy } from "../netfilter/programs.ts";
import {
  type Attachment,
  hostLocal,
  LEASES,
  linkNames,
  listing,
  networkTest,
  prepare,
  STAYS,
  V4,
  V6,
} from "./network.ts";

const ALL: readonly Capability[] = [
  ...(["dac_override", "dac_read_search", "net_admin", "net_raw", "sys_admin", "sys_ptrace"] as const),
];
const COMMANDS = ["VERSION", "STATUS", "ADD", "CHECK", "DEL", "GC"] as const;
type Command = (typeof COMMANDS)[number];

interface Backend {
  readonly name: string;
  readonly keys: object;
  readonly legacy: boolean;
  /** Exactly what each command needs, as root. */
  readonly needs: Readonly<Record<Command, readonly Capability[]>>;
}

const PLAIN: Backend["needs"] = {
  VERSION: [],
  STATUS: ["net_admin", "sys_admin"],
  ADD: ["net_admin", "sys_admin"],
  CHECK: ["sys_admin"],
  DEL: ["net_admin"],
  GC: ["net_admin"],
};
const RULES: Backend["needs"] = { ...PLAIN, CHECK: ["net_admin", "sys_admin"] };
/** iptables-legacy itself opens a raw socket, when there is something to change. */
const LEGACY: Backend["needs"] = {
  ...RULES,
  ADD: ["net_admin", "net_raw", "sys_admin"],
  DEL: ["net_admin", "net_raw"],
  GC: ["net_admin", "net_raw"],
};

const BACKENDS: readonly Backend[] = [
  { name: "no masquerade", keys: {}, legacy: false, needs: PLAIN },
  {
    name: "nftables and spoof check",
    keys: { ipMasq: true, ipMasqBackend: "nftables", macspoofchk: true },
    legacy: false,
    needs: RULES,
  },
  { name: "iptables", keys: { ipMasq: true, ipMasqBackend: "iptables" }, legacy: false, needs: RULES },
  { name: "iptables-legacy", keys: { ipMasq: true, ipMasqBackend: "iptables" }, legacy: true, needs: LEGACY },
];

/** The container c1 on a network, and calls of the plugin for it with some privileges. */
class Life {
  readonly one: Attachment;
  private readonly host: ScratchHost;

  constructor(host: ScratchHost, one: Attachment) {
    this.host = host;
    this.one = one;
  }

  /** What has to be there before a command can do its work. */
  async prepare(command: Command): Promise<void> {
    if (command === "CHECK" || command === "DEL" || command === "GC") await this.one.add();
  }

  call(command: Command, privileges: Privileges): Promise<PluginOutcome> {
    const keys = {
      ...(command === "CHECK" && { prevResult: this.one.result }),
      ...(command === "GC" && listing("other")),
    };
    return callWith(privileges, "bridge", this.one.request(command, keys));
  }

  /** Whether the command has done all of its work. */
  async judge(command: Command, outcome: PluginOutcome): Promise<void> {
    if (command === "ADD") await this.one.check(outcome.json());
    if (command !== "DEL" && command !== "GC") return;
    expect(await linkNames(this.host, "type veth")).toEqual([]);
    expect(await this.host.run(`ls ${LEASES}`)).toBe("last_reserved_ip.0\nlast_reserved_ip.1\nlock\n");
    const rules = await this.host.run(
      "nft list ruleset; ! grep -qs nat /proc/net/ip_tables_names || { iptables-legacy-save; ip6tables-legacy-save; }",
    );
    expect(rules).not.toMatch(/c1\b/);
  }
}

/** At the end all is taken away, with all rights. */
async function withLife(host: ScratchHost, backend: Backend, body: (life: Life) => Promise<void>) {
  await using _ = backend.legacy ? await legacyHost() : undefined;
  const keys = { isGateway: true, ...backend.keys, ipam: hostLocal(V4, V6) };
  const life = new Life(host, await prepare(host, "c1", keys));
  // What stays by design is there before: the bridge, its addresses, tables, forwarding.
  await life.one.add();
  await life.one.del();
  await body(life);
  await life.one.del();
}

const noLegacy = await whyNoLegacy();
const shown = (capability: Capability) => `CAP_${capability.toUpperCase()}`;

describe.each([...BACKENDS])("$name", (backend) => {
  const maybe = hostTests({ mayKeep: STAYS }, backend.legacy ? testUnless(noLegacy) : test);
  for (const command of COMMANDS) {
    const needs = backend.needs[command];
    maybe(`${command} works with exactly ${needs.map(shown).join(" and ") || "no capability"}`, (host) =>
      withLife(host, backend, async (life) => {
        await life.prepare(command);
        const outcome = await life.call(command, { capabilities: needs });
        expect(`${outcome}`).toStartWith("exit code 0");
        await life.judge(command, outcome);
      }),
    );

    for (const missing of needs) {
      maybe(`${command} without ${shown(missing)} says so, and changes nothing`, (host) =>
        withLife(host, backend, async (life) => {
          await life.prepare(command);
          const before = await host.state();
          const capabilities = ALL.filter((other) => other !== missing);
          const outcome = await life.call(command, { capabilities });
          expect(`${outcome}`).toStartWith("exit code 1");
          const { code, msg } = outcome.json<{ code: number; msg: string }>();
          expect(msg).toContain(`${shown(missing)} is missing (needed `);
          expect(ALL.map(shown).filter((name) => msg.includes(`${name} is missing`))).toEqual([
            shown(missing),
          ]);
          if (command === "STATUS") expect(code).toBe(50);
          // DEL and GC go on past errors (A31, A37): without CAP_NET_RAW only the rules of iptables-legacy stay.
          const after = await host.state();
          if (missing === "net_raw" && command !== "ADD")
            expect(after.join("\n")).toMatch(/iptables-legacy nat .*c1/);
          else expect(stateDifference(before, after, SETTLING)).toEqual([]);
        }),
      );
    }
  }
});

/** An ADD that is undone leaves its lock and hint, and the bridge settles in its own time. */
const SETTLING = [
  /^(link|port|fdb) .*\bbr0\b/,
  /^file \/var\/lib\/cni\/networks\/(testnet|\.bridgehead)\/(last|testnet)/,
];

const [PLAIN_BACKEND, NFTABLES] = BACKENDS as [Backend, Backend];

networkTest(
  "DEL without CAP_SYS_ADMIN finds the pair by the host's end; where that has no owner it keeps the address",
  (host) =>
    withLife(host, PLAIN_BACKEND, async (life) => {
      await life.one.add();
      await host.run(`ip link set ${life.one.veth} alias foreign address 0e:00:00:00:00:01`);
      const del = () => life.call("DEL", { capabilities: ["net_admin"] });
      const outcome = await host.unchangedBy(del, SETTLING);
      expect(outcome.json().msg).toContain("CAP_SYS_ADMIN is missing");
    }),
);

describe("another user than root", () => {
  /** What x_tables has to say of its tables is for root's eyes. */
  const readsTables: Capability[] = existsSync("/proc/net/ip_tables_names") ? ["dac_read_search"] : [];
  const NOBODY = 64123;
  const USER = { user: NOBODY, folder: "/mnt" };

  const asNobody = (host: ScratchHost, body: (life: Life) => Promise<void>) =>
    withLife(host, NFTABLES, async (life) => {
      // Where the plugins are built such a user may not be able to go.
      await host.run(`mount --bind ${builtBinaries()} /mnt; chown -R ${NOBODY} /var/lib/cni`);
      try {
        await body(life);
      } finally {
        await host.run("umount /mnt; chown -R 0 /var/lib/cni");
      }
    });

  for (const command of COMMANDS) {
    const capabilities = [...RULES[command], ...(command === "DEL" || command === "GC" ? readsTables : [])];
    const words = capabilities.map(shown).join(", ") || "no capability";
    networkTest(`${command} works with ${words} if the leases are its own`, (host) =>
      asNobody(host, async (life) => {
        await life.prepare(command);
        await host.run(`chown -R ${NOBODY} /var/lib/cni`);
        const outcome = await life.call(command, { ...USER, capabilities });
        expect(`${outcome}`).toStartWith("exit code 0");
        await life.judge(command, outcome);
      }),
    );
  }

  networkTest("leases of root are refused, and CAP_DAC_OVERRIDE is named", (host) =>
    asNobody(host, async (life) => {
      await host.run("chown -R 0 /var/lib/cni");
      const add = (...more: Capability[]) =>
        life.call("ADD", { ...USER, capabilities: [...more, "net_admin", "sys_admin"] });
      const refused = await host.unchangedBy(() => add(), SETTLING);
      expect(refused.json().msg).toMatch(
        /"\/var\/lib\/cni\/.*permission denied \(EACCES\).*: CAP_DAC_OVERRIDE is missing/,
      );
      expect((await add("dac_override")).exitCode).toBe(0);
    }),
  );
});
