/** Least privilege: what each command needs of capabilities(7), no more; and what it says when one is missing. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { outcomeOf } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { builtBinaries, type PluginOutcome } from "../../support/plugin-call.ts";
import { type Capability, callWith, type Privileges } from "../../support/privileges.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless } from "../../support/skip.ts";
import { stateDifference } from "../../support/state-difference.ts";
import { Programs } from "../netfilter/programs.ts";
import {
  type AddResult,
  Attachment,
  configuration,
  type ErrorDocument,
  hostLocal,
  V4,
  V6,
  withNetwork,
} from "./network.ts";

const ALL: readonly Capability[] = [
  "dac_override",
  "dac_read_search",
  "net_admin",
  "net_raw",
  "sys_admin",
  "sys_ptrace",
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

const noLegacy =
  (await outcomeOf("unshare --net iptables-legacy -t nat -S")).exitCode === 0
    ? undefined
    : "this kernel or machine has no iptables-legacy";

/** The container c1 on a network, and calls of the plugin for it with some privileges. */
class Life {
  readonly attachment: Attachment;
  readonly #host: ScratchHost;
  #result: AddResult | undefined;

  constructor(host: ScratchHost, attachment: Attachment) {
    this.#host = host;
    this.attachment = attachment;
  }

  /** What has to be there before a command can do its work. */
  async prepare(command: Command): Promise<void> {
    if (command === "CHECK" || command === "DEL" || command === "GC")
      this.#result = await this.attachment.add();
  }

  call(command: Command, privileges: Privileges): Promise<PluginOutcome> {
    const { namespace, ifname, config } = this.attachment;
    const keys = {
      ...(command === "CHECK" && { prevResult: this.#result }),
      ...(command === "GC" && { "cni.dev/valid-attachments": [{ containerID: "other", ifname: "eth0" }] }),
    };
    return callWith(privileges, "bridge", {
      command,
      containerId: namespace.name,
      netns: namespace.path,
      ifname,
      config: { ...config, ...keys },
    });
  }

  /** Whether the command has done all of its work. */
  async judge(command: Command, { stdout }: PluginOutcome): Promise<void> {
    if (command === "ADD") await this.attachment.check(JSON.parse(stdout) as AddResult);
    if (command !== "DEL" && command !== "GC") return;
    expect(await this.#host.run("ip -br link show type veth")).toBe("");
    expect(await this.#host.run("ls /var/lib/cni/networks/testnet")).toBe(
      "last_reserved_ip.0\nlast_reserved_ip.1\nlock\n",
    );
    const rules = await this.#host.run(
      "nft list ruleset; ! grep -qs nat /proc/net/ip_tables_names || { iptables-legacy-save; ip6tables-legacy-save; }",
    );
    expect(rules).not.toMatch(/c1\b/);
  }

  /** Takes all away, with all rights. */
  async end(): Promise<void> {
    await this.attachment.del();
  }
}

async function withLife(
  backend: Backend,
  body: (life: Life, host: ScratchHost) => Promise<void>,
): Promise<void> {
  await withNetwork(async (host) => {
    await using programs = backend.legacy ? await Programs.replace() : undefined;
    for (const name of ["iptables-restore", "ip6tables-restore"])
      programs?.link(name, `/usr/sbin/${name.replace("-", "-legacy-")}`);
    const config = configuration({ isGateway: true, ...backend.keys, ipam: hostLocal(V4, V6) });
    const life = new Life(host, new Attachment(host, await host.addNamespace("c1"), config));
    // What stays by design is there before: the bridge, its addresses, tables, forwarding.
    await life.attachment.add();
    // The kernel adds the route to the bridge's own address when it has begun to use that, in its own time,
    // and with a port only.
    await eventually("the route to the bridge's address", async () =>
      (await host.run("ip -6 route show table local dev br0")).includes("local fd77::1 "),
    );
    await life.attachment.del();
    await body(life, host);
  });
}

const shown = (capability: Capability) => `CAP_${capability.toUpperCase()}`;

describe.each([...BACKENDS])("$name", (backend) => {
  const maybe = backend.legacy ? testUnless(noLegacy) : test;
  for (const command of COMMANDS) {
    const needs = backend.needs[command];
    maybe(`${command} works with exactly ${needs.map(shown).join(" and ") || "no capability"}`, () =>
      withLife(backend, async (life) => {
        await life.prepare(command);
        const outcome = await life.call(command, { capabilities: needs });
        expect(`${outcome}`).toStartWith("exit code 0");
        await life.judge(command, outcome);
        await life.end();
      }),
    );

    for (const missing of needs) {
      maybe(`${command} without ${shown(missing)} says so, and changes nothing`, () =>
        withLife(backend, async (life, host) => {
          await life.prepare(command);
          const before = await host.state();
          const outcome = await life.call(command, {
            capabilities: ALL.filter((other) => other !== missing),
          });
          expect(outcome.exitCode).toBe(1);
          const error = outcome.json<ErrorDocument>();
          expect(error.msg).toContain(`${shown(missing)} is missing (needed `);
          expect(ALL.map(shown).filter((name) => error.msg.includes(`${name} is missing`))).toEqual([
            shown(missing),
          ]);
          if (command === "STATUS") expect(error.code).toBe(50);
          // DEL and GC go on past errors (A31, A37): without CAP_NET_RAW only the rules of iptables-legacy stay.
          const after = await host.state();
          if (missing === "net_raw" && command !== "ADD")
            expect(after.join("\n")).toMatch(/iptables-legacy nat .*c1/);
          else expect(stateDifference(before, after, SETTLING)).toEqual([]);
          await life.end();
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

test("DEL without CAP_SYS_ADMIN finds the pair by the host's end; where that has no owner it keeps the address", () =>
  withLife(BACKENDS[0] as Backend, async (life, host) => {
    const { interfaces } = await life.attachment.add();
    await host.run(`ip link set ${interfaces[1]?.name} alias foreign address 0e:00:00:00:00:01`);
    const before = await host.state();
    const outcome = await life.call("DEL", { capabilities: ["net_admin"] });
    expect(outcome.json<ErrorDocument>().msg).toContain("CAP_SYS_ADMIN is missing");
    expect(stateDifference(before, await host.state(), SETTLING)).toEqual([]);
    await life.end();
  }));

describe("another user than root", () => {
  /** What x_tables has to say of its tables is for root's eyes. */
  const readsTables: Capability[] = existsSync("/proc/net/ip_tables_names") ? ["dac_read_search"] : [];
  const NOBODY = 64123;

  async function asNobody(
    body: (life: Life, privileges: Omit<Privileges, "capabilities">, host: ScratchHost) => Promise<void>,
  ) {
    await withLife(BACKENDS[1] as Backend, async (life, host) => {
      // Where the plugins are built such a user may not be able to go.
      await host.run(`mount --bind ${builtBinaries()} /mnt; chown -R ${NOBODY} /var/lib/cni`);
      try {
        await body(life, { user: NOBODY, folder: "/mnt" }, host);
      } finally {
        await host.run("umount /mnt; chown -R 0 /var/lib/cni");
      }
    });
  }

  for (const command of COMMANDS) {
    const exact = [...RULES[command], ...(command === "DEL" || command === "GC" ? readsTables : [])];
    test(`${command} works with ${exact.map(shown).join(", ") || "no capability"} if the leases are its own`, () =>
      asNobody(async (life, user, host) => {
        await life.prepare(command);
        await host.run(`chown -R ${NOBODY} /var/lib/cni`);
        const outcome = await life.call(command, { ...user, capabilities: exact });
        expect(`${outcome}`).toStartWith("exit code 0");
        await life.judge(command, outcome);
        await life.end();
      }));
  }

  test("leases of root are refused, and CAP_DAC_OVERRIDE is named", () =>
    asNobody(async (life, user, host) => {
      await host.run("chown -R 0 /var/lib/cni");
      const before = await host.state();
      const outcome = await life.call("ADD", { ...user, capabilities: ["net_admin", "sys_admin"] });
      expect(outcome.json<ErrorDocument>().msg).toMatch(
        /"\/var\/lib\/cni\/.*permission denied \(EACCES\).*: CAP_DAC_OVERRIDE is missing/,
      );
      expect(stateDifference(before, await host.state(), SETTLING)).toEqual([]);
      const exact: Privileges = { ...user, capabilities: ["dac_override", "net_admin", "sys_admin"] };
      expect((await life.call("ADD", exact)).exitCode).toBe(0);
      await life.end();
    }));
});
