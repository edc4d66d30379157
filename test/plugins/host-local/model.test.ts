/**
 * Random lives of a node (point by point: ADD, DEL, CHECK, GC, STATUS, crashes, reboots, edits by other programs, a
 * spoiled cache, kills, a full disk) against the model, which has no cache and no shortcuts.
 *
 * BRIDGEHEAD_RUNS=10000 makes more of them, BRIDGEHEAD_SEED=… repeats some.
 */
import { expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { CniError } from "../../../src/cni/error.ts";
import { formatIp } from "../../../src/net/ip.ts";
import { FakeBoot } from "../../support/fake-boot.ts";
import { failEach, killAt, withFault, withoutSyncing } from "../../support/faulty-libc.ts";
import { hostLocalOn } from "../../support/host-local-call.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";
import { addressesBetween, LeaseModel, type ModelWorld } from "./lease-model.ts";

withoutSyncing();

/**
 * Few addresses, so that sets get full; and no more than an ADD looks at for edits in place, so that each edit is
 * noticed at once and the model needs no "perhaps".
 */
const RANGES = [
  [
    { subnet: "10.0.0.0/29", rangeEnd: "10.0.0.4" },
    { subnet: "10.1.0.0/29", rangeStart: "10.1.0.3", rangeEnd: "10.1.0.4" },
  ],
  [{ subnet: "fd00::/64", rangeEnd: "fd00::4" }],
];
const SETS = [
  [...addressesBetween("10.0.0.2", "10.0.0.4"), ...addressesBetween("10.1.0.3", "10.1.0.4")],
  addressesBetween("fd00::2", "fd00::4"),
];
const ADDRESSES = SETS.flat();
const CONTAINERS = ["a", "b", "c", "d"];

class Life implements Disposable {
  readonly leases = new LeaseDirectory();
  readonly machine = new FakeBoot();
  readonly model = new LeaseModel(SETS);
  readonly #commands = hostLocalOn(this.machine);
  #boot = 1;
  readonly #cookies = new Map<string, number>();
  readonly log: string[] = [];

  get world(): ModelWorld {
    return { boot: this.#boot, living: new Set(this.#cookies.values()) };
  }

  cookieOf(netns: string): number | undefined {
    return this.#cookies.get(netns);
  }

  start(netns: string): void {
    if (this.#cookies.has(netns)) return;
    this.machine.addNetns(netns);
    this.#cookies.set(netns, Number(this.machine.record(netns)?.netns.cookie));
  }

  stop(netns: string): void {
    this.machine.removeNetns(netns);
    this.#cookies.delete(netns);
  }

  reboot(): void {
    this.machine.reboot();
    this.#boot++;
    this.#cookies.clear();
  }

  config(whole: object = {}): object {
    return this.leases.network({ ranges: RANGES, statusReportsExhaustion: true }, whole);
  }

  /** Undefined when it succeeds, its addresses for an ADD, or the message of its one CniError. */
  async call(
    command: "add" | "del" | "check" | "gc" | "status",
    call: { containerId?: string; ifname?: string; netns?: string; args?: string },
    whole?: object,
  ) {
    try {
      const result = await this.#commands[command]({ config: this.config(whole), ...call });
      return {
        given: result === undefined ? [] : result.ips.map(({ address }) => formatIp(address.address)),
      };
    } catch (error) {
      if (!(error instanceof CniError)) throw error;
      return { error: error.message };
    }
  }

  /** The directory's files and hints are those of the model. */
  compare(): void {
    const files = Object.fromEntries(
      [...this.model.files].map(([name, { content }]) => [name, content]).sort(),
    );
    const found = this.leases.all();
    expect(
      Object.fromEntries(
        Object.entries(found)
          .filter(([name]) => ADDRESSES.includes(name))
          .sort(),
      ),
    ).toEqual(files);
    for (const index of SETS.keys()) expect(found[`last_reserved_ip.${index}`]).toBe(this.model.hints[index]);
  }

  /** Which file is at an address: a new one of the same content is another. */
  inodes(): Map<string, number> {
    const names = ADDRESSES.filter((name) => existsSync(join(this.leases.path, name)));
    return new Map(names.map((name) => [name, statSync(join(this.leases.path, name)).ino]));
  }

  /** Takes over what a killed command left, having checked that it is allowed. */
  adopt(inodes: Map<string, number>, owner: string | undefined, mayRemove: (name: string) => boolean): void {
    const found = this.leases.all();
    const before = new Map(this.model.files);
    const after = this.inodes();
    for (const name of ADDRESSES) {
      const [now, then] = [found[name], before.get(name)];
      if (now === then?.content && inodes.get(name) === after.get(name)) continue;
      if (now === undefined) {
        if (then?.content.trim() !== "") expect(mayRemove(name)).toBe(true);
        this.model.files.delete(name);
      } else {
        expect(now).toBe(owner as string);
        if (then !== undefined && then.content.trim() !== "") expect(mayRemove(name)).toBe(true);
        const container = now.split("\r\n")[0] ?? "";
        const cookie = this.cookieOf(container);
        this.model.files.set(name, {
          content: now,
          mark: cookie === undefined ? undefined : { boot: this.#boot, cookie, content: now },
        });
      }
    }
    for (const index of SETS.keys()) this.model.hints[index] = found[`last_reserved_ip.${index}`];
  }

  [Symbol.dispose](): void {
    this.leases[Symbol.dispose]();
  }
}

type Action = (life: Life) => Promise<void>;

const ownerOf = (container: string, ifname: string): string => `${container}\r\n${ifname}`;

async function add(
  life: Life,
  container: string,
  ifname: string,
  inNetns: boolean,
  wish: string | undefined,
): Promise<void> {
  if (inNetns) life.start(container);
  const netns = inNetns ? container : "/nowhere";
  const args = wish === undefined ? "" : `IP=${wish}`;
  const cookie = inNetns ? life.cookieOf(container) : undefined;
  const result = await life.call("add", { containerId: container, ifname, netns, args });
  const given = "given" in result ? result.given : [];
  const expected = life.model.add(ownerOf(container, ifname), life.world, cookie, wish, (allowed, set) => {
    const address = given[set];
    return address !== undefined && allowed.includes(address) ? address : (allowed[0] ?? "");
  });
  if ("error" in expected) expect(result).toEqual({ error: expect.stringContaining(expected.error) });
  else {
    expect(result).toEqual({ given: expect.any(Array) });
    for (const [set, allowed] of expected.given.entries()) expect(allowed).toContain(given[set] as string);
  }
}

const container = fc.constantFrom(...CONTAINERS);
const ifname = fc.constantFrom("eth0", "eth1");
const address = fc.constantFrom(...ADDRESSES);
const content = fc.oneof(
  fc.tuple(container, ifname).map(([id, name]) => ownerOf(id, name)),
  fc.tuple(container, ifname).map(([id, name]) => `${ownerOf(id, name)}\n`),
  container,
  fc.constantFrom("", "not a lease at all", "x\r\neth0"),
);

/** Each kind of action: an arbitrary of a description, and what it does. */
const named = (name: string, action: Action): [string, Action] => [name, action];

const anyAction: fc.Arbitrary<[string, Action]> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(container, ifname, fc.boolean(), fc.option(address, { freq: 4 }))
      .map(([id, name, inNetns, wish]) =>
        named(`ADD ${id} ${name} ${inNetns ? "in its namespace" : "nowhere"} ${wish ?? ""}`, (life) =>
          add(life, id, name, inNetns, wish ?? undefined),
        ),
      ),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(container, ifname).map(([id, name]) =>
      named(`DEL ${id} ${name}`, async (life) => {
        expect(await life.call("del", { containerId: id, ifname: name })).toEqual({ given: [] });
        life.model.del(ownerOf(id, name));
      }),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(container, ifname).map(([id, name]) =>
      named(`CHECK ${id} ${name}`, async (life) => {
        const passes = !("error" in (await life.call("check", { containerId: id, ifname: name })));
        expect(passes).toBe(life.model.check(ownerOf(id, name)));
      }),
    ),
  },
  fc.subarray(CONTAINERS.flatMap((id) => ["eth0", "eth1"].map((name) => [id, name] as const))).map((valid) =>
    named(`GC ${valid.join(" ")}`, async (life) => {
      const list = valid.map(([containerID, ifname]) => ({ containerID, ifname }));
      expect(await life.call("gc", {}, { "cni.dev/valid-attachments": list })).toEqual({ given: [] });
      life.model.gc(
        valid.map(([id, name]) => ownerOf(id, name)),
        life.world,
      );
    }),
  ),
  fc.constant(
    named("STATUS", async (life) => {
      expect(!("error" in (await life.call("status", {})))).toBe(life.model.ready(life.world));
    }),
  ),
  { weight: 3, arbitrary: container.map((id) => named(`crash ${id}`, async (life) => life.stop(id))) },
  fc.constant(named("reboot", async (life) => life.reboot())),
  {
    weight: 2,
    arbitrary: fc.tuple(address, content).map(([name, text]) =>
      named(`another program makes ${name} ${JSON.stringify(text)}`, async (life) => {
        life.leases.remove(name);
        life.leases.write(name, text);
        life.model.files.set(name, { content: text, mark: undefined });
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(address, content).map(([name, text]) =>
      named(`another program writes ${JSON.stringify(text)} into ${name}`, async (life) => {
        const file = life.model.files.get(name);
        // An empty file is nobody's and in no index: what comes into it unseen is found by the next scan only.
        if (file === undefined || file.content.trim() === "") return;
        await life.leases.overwrite(name, text);
        file.content = text;
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: address.map((name) =>
      named(`another program removes ${name}`, async (life) => {
        life.leases.remove(name);
        life.model.files.delete(name);
      }),
    ),
  },
  fc
    .tuple(fc.constantFrom(0, 1), fc.oneof(address, fc.constantFrom("", "x", "10.0.0.9")))
    .map(([set, text]) =>
      named(`another program sets hint ${set} to "${text}"`, async (life) => {
        life.leases.write(`last_reserved_ip.${set}`, text);
        life.model.hints[set] = text;
      }),
    ),
  fc
    .tuple(
      fc.constantFrom("remove", "cut", "flip", "garbage", "directory", "back"),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
    )
    .map(([kind, at, by]) =>
      named(`${kind} the cache, ${at} ${by}`, async (life) => spoilCache(life, kind, at, by)),
    ),
  fc.tuple(address, content).map(([name, text]) =>
    named(`another program makes ${name} and sets the directory's time back`, async (life) => {
      mkdirSync(life.leases.path, { recursive: true });
      await life.leases.nextTick("");
      const { atimeMs, mtimeMs } = statSync(life.leases.path);
      life.leases.remove(name);
      life.leases.write(name, text);
      life.model.files.set(name, { content: text, mark: undefined });
      utimesSync(life.leases.path, atimeMs / 1000, mtimeMs / 1000);
    }),
  ),
  fc.constant(
    named("the directory is replaced by a copy", async (life) => {
      if (!existsSync(life.leases.path)) return;
      const away = `${life.leases.path}.away`;
      renameSync(life.leases.path, away);
      mkdirSync(life.leases.path);
      for (const name of readdirSync(away))
        writeFileSync(join(life.leases.path, name), readFileSync(join(away, name)));
      rmSync(away, { recursive: true });
      for (const file of life.model.files.values()) file.mark = undefined;
    }),
  ),
  {
    weight: 3,
    arbitrary: fc.tuple(container, ifname, fc.nat(120)).map(([id, name, step]) =>
      named(`kill ADD ${id} ${name} at ${step}`, async (life) => {
        life.start(id);
        const inodes = life.inodes();
        const dead = ADDRESSES.filter((each) => life.model.isDead(each, life.world));
        await withFault(killAt(step), () =>
          life.call("add", { containerId: id, ifname: name, netns: id }),
        ).catch(() => {});
        life.adopt(inodes, ownerOf(id, name), (each) => dead.includes(each));
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(container, ifname, fc.nat(80)).map(([id, name, step]) =>
      named(`kill DEL ${id} ${name} at ${step}`, async (life) => {
        const inodes = life.inodes();
        const own = new LeaseModel(SETS);
        for (const [file, state] of life.model.files) own.files.set(file, { ...state });
        own.del(ownerOf(id, name));
        await withFault(killAt(step), () => life.call("del", { containerId: id, ifname: name })).catch(
          () => {},
        );
        life.adopt(inodes, undefined, (each) => !own.files.has(each));
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(container, ifname).map(([id, name]) =>
      named(`ADD ${id} ${name} on a full disk`, async (life) => {
        const full = failEach(["write", "pwrite64", "mkdirat"], 28);
        const before = life.leases.all();
        const result = await withFault(full, () => life.call("add", { containerId: id, ifname: name }));
        expect(result).toEqual({ error: expect.stringContaining("no space left on device") });
        expect({ ...life.leases.all(), lock: undefined }).toEqual({ ...before, lock: undefined });
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(container, ifname).map(([id, name]) =>
      named(`DEL ${id} ${name} on a full disk`, async (life) => {
        const full = failEach(["write", "pwrite64", "mkdirat"], 28);
        expect(await withFault(full, () => life.call("del", { containerId: id, ifname: name }))).toEqual({
          given: [],
        });
        life.model.del(ownerOf(id, name));
      }),
    ),
  },
);

/** A copy of the cache of some time ago, to be put back. */
const earlier = new WeakMap<Life, string>();

function spoilCache(life: Life, kind: string, at: number, by: number): void {
  const path = join(life.leases.state, "net.index");
  if (!existsSync(path)) return;
  const bytes = statSync(path).isFile() ? readFileSync(path) : new Uint8Array();
  if (kind === "cut" && bytes.length > 0) truncateSync(path, at % bytes.length);
  else if (kind === "flip" && bytes.length > 0) {
    const offset = at % bytes.length;
    bytes[offset] = (bytes[offset] ?? 0) ^ by;
    writeFileSync(path, bytes);
  } else if (kind === "back") {
    const saved = earlier.get(life);
    if (saved !== undefined && statSync(path).isFile()) copyFileSync(saved, path);
    else if (bytes.length > 0) {
      copyFileSync(path, `${path}.saved`);
      earlier.set(life, `${path}.saved`);
    }
  } else {
    rmSync(path, { recursive: true });
    if (kind === "garbage") writeFileSync(path, Buffer.alloc(20_000, by));
    if (kind === "directory") mkdirSync(path);
  }
}

const runs = Number(process.env.BRIDGEHEAD_RUNS ?? 1000);
const seed = process.env.BRIDGEHEAD_SEED;

test(`H45–H54, L1–L8: ${runs} random histories of a node match the model`, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyAction, { maxLength: 40, size: "max" }), async (actions) => {
      using life = new Life();
      for (const [name, action] of actions) {
        life.log.push(name);
        try {
          await action(life);
          life.compare();
        } catch (error) {
          throw new Error(`after\n  ${life.log.join("\n  ")}\n${error}`, { cause: error });
        }
      }
    }),
    { numRuns: runs, ...(seed !== undefined && { seed: Number(seed) }) },
  );
});
