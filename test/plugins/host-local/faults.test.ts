/**
 * What is left when a command is killed, or a system call fails, at each of its steps (rules L2, L3, H49): no lease or
 * a whole one, no address lost, none given twice.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { CniError, toCniError } from "../../../src/cni/error.ts";
import { FakeBoot } from "../../support/fake-boot.ts";
import {
  counter,
  type Fault,
  failAt,
  failEach,
  Killed,
  killAt,
  leavesTraces,
  withFault,
  withoutSyncing,
} from "../../support/faulty-libc.ts";
import { addressesOf, hostLocalOn } from "../../support/host-local-call.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";

/** Two sets with four and three addresses to give. */
const IPAM = {
  ranges: [[{ subnet: "10.0.0.0/29", rangeEnd: "10.0.0.5" }], [{ subnet: "fd00::/64", rangeEnd: "fd00::4" }]],
};
withoutSyncing();

const ENOSPC = 28;
const EIO = 5;

class Scene implements Disposable {
  readonly leases = new LeaseDirectory();
  readonly machine = new FakeBoot();
  readonly commands = hostLocalOn(this.machine);
  readonly config = this.leases.network(IPAM);

  constructor() {
    for (const name of ["a", "b", "c", "d"]) this.machine.addNetns(name);
  }

  add = (containerId: string, lines: string[] = []) =>
    this.commands.add({ config: this.config, containerId, netns: containerId, lines }).then(addressesOf);
  del = (containerId: string) => this.commands.del({ config: this.config, containerId });
  check = (containerId: string) => this.commands.check({ config: this.config, containerId });
  gc = (valid: string[]) =>
    this.commands.gc({
      config: this.leases.network(IPAM, {
        "cni.dev/valid-attachments": valid.map((containerID) => ({ containerID, ifname: "eth0" })),
      }),
    });

  /** The system calls of an action, on a scene of its own. */
  static async calls(
    prepare: (scene: Scene) => Promise<unknown>,
    action: (scene: Scene) => Promise<unknown>,
  ) {
    using scene = new Scene();
    await prepare(scene);
    const { calls, fault } = counter();
    await withFault(fault, () => action(scene));
    return calls;
  }

  /** Owners by address. Fails if a file is no whole lease. */
  owners(): Record<string, string> {
    const leases = this.leases.leases();
    for (const [name, content] of Object.entries(leases))
      expect(`${name} ${content}`).toMatch(/^\S+ [a-d]\r\neth0$/);
    return Object.fromEntries(Object.entries(leases).map(([name, content]) => [name, content.slice(0, 1)]));
  }

  /** Everything that can still be given is given, and no address twice; then all is released. */
  async expectNothingLost(): Promise<void> {
    for (const containerId of ["a", "b", "c", "d"]) await this.del(containerId);
    expect(this.owners()).toEqual({});
    const given: string[] = [];
    for (const containerId of ["a", "b", "c"]) given.push(...(await this.add(containerId)));
    expect(given).toHaveLength(6);
    expect(new Set(given).size).toBe(6);
  }

  [Symbol.dispose](): void {
    this.leases[Symbol.dispose]();
  }
}

const ACTIONS: readonly [
  name: string,
  prepare: (scene: Scene) => Promise<unknown>,
  action: (scene: Scene) => Promise<unknown>,
][] = [
  ["the first ADD of a network", async () => {}, (scene) => scene.add("a")],
  ["an ADD", (scene) => scene.add("b"), (scene) => scene.add("a")],
  [
    "an ADD after another program's edit",
    async (scene) => {
      await scene.add("b");
      scene.leases.write("10.0.0.4", "d\r\neth0");
    },
    (scene) => scene.add("a"),
  ],
  [
    "an ADD that gets its address back",
    async (scene) => {
      await scene.add("a");
      await scene.add("b");
      scene.machine.removeNetns("a");
      scene.machine.addNetns("a");
    },
    (scene) => scene.add("a"),
  ],
  [
    "an ADD that reclaims",
    async (scene) => {
      for (const name of ["b", "c", "d"]) await scene.add(name);
      scene.machine.removeNetns("c");
    },
    (scene) => scene.add("a"),
  ],
  [
    "a DEL",
    async (scene) => {
      await scene.add("b");
      await scene.add("a");
    },
    (scene) => scene.del("a"),
  ],
  [
    "a GC",
    async (scene) => {
      for (const name of ["a", "b", "c"]) await scene.add(name);
    },
    (scene) => scene.gc(["b"]),
  ],
  ["a CHECK", (scene) => scene.add("b"), (scene) => scene.check("b")],
];

describe.each(ACTIONS)("%s", (_, prepare, action) => {
  test("L2: a kill at each step leaves whole leases and loses none", async () => {
    const calls = await Scene.calls(prepare, action);
    expect(calls.length).toBeGreaterThan(10);
    for (const [step, call] of calls.entries()) {
      if (!leavesTraces(call)) continue;
      using scene = new Scene();
      await prepare(scene);
      const bystanders = Object.entries(scene.owners()).filter(([, owner]) => owner === "b");
      const end = await withFault(killAt(step), () => action(scene)).then(
        () => undefined,
        (error) => error,
      );
      // A kill after the last step that counts goes unnoticed only where the code closes a descriptor.
      if (end !== undefined) expect(rootOf(end)).toBeInstanceOf(Killed);
      expect(Object.entries(scene.owners()).filter(([, owner]) => owner === "b")).toEqual(bystanders);
      await scene.expectNothingLost();
    }
  });

  test.each([
    ["ENOSPC", ENOSPC],
    ["EIO", EIO],
  ])("L2, H49: %s at each step is one error that leaves nothing, or has no effect", async (_, errno) => {
    const calls = await Scene.calls(prepare, action);
    for (const step of calls.keys()) {
      using scene = new Scene();
      await prepare(scene);
      const before = scene.owners();
      const error = await withFault(failAt(step, errno), () => action(scene)).then(
        () => undefined,
        (error) => error,
      );
      const after = scene.owners();
      if (error !== undefined) {
        expect(error).toBeInstanceOf(CniError);
        for (const address of Object.keys(after)) expect(after[address]).toBe(before[address] as string);
      }
      for (const [address, owner] of Object.entries(before))
        if (owner === "b") expect(after[address]).toBe("b");
      await scene.expectNothingLost();
    }
  });
});

/** The error at the bottom of those that it caused. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}

test("K8: the details of a failed ADD name the leases that it could not release", async () => {
  using scene = new Scene();
  let isThere = false;
  const broken: Fault = (call, parameters) => {
    isThere ||= call === "linkat";
    if (isThere) failEach(["fsync", "unlinkat"], EIO)(call, parameters);
  };
  const error = toCniError(await withFault(broken, () => scene.add("a")).catch((error) => error));
  expect(error).toMatchObject({ code: 5, nothingTaken: false });
  for (const address of Object.keys(scene.leases.leases())) {
    expect(error.details).toContain(`cannot release ${scene.leases.path}/${address} again: `);
  }
  expect(Object.keys(scene.leases.leases())).toHaveLength(2);
});

describe("a disk that stays full", () => {
  const full: Fault = (call, [path, , , flags]) => {
    const creates =
      call === "openat" &&
      (Number(flags) & 0o100) !== 0 &&
      typeof path === "string" &&
      !path.endsWith("/lock");
    if (creates || ["write", "pwrite64", "mkdirat", "linkat"].includes(call))
      failEach([call], ENOSPC)(call, []);
  };

  test("L2: ADD fails with one clear error and leaves nothing; DEL, CHECK and GC work", async () => {
    using scene = new Scene();
    await scene.add("a");
    await scene.add("b");
    const before = scene.leases.all();
    const error = toCniError(await withFault(full, () => scene.add("c")).catch((error) => error));
    expect(error).toMatchObject({ code: 5, message: expect.stringContaining("no space left on device") });
    expect(scene.leases.all()).toEqual(before);
    await withFault(full, () => scene.check("a"));
    await withFault(full, () => scene.del("a"));
    expect(new Set(Object.values(scene.owners()))).toEqual(new Set(["b"]));
    await withFault(full, () => scene.gc(["c"]));
    expect(scene.owners()).toEqual({});
    await scene.expectNothingLost();
  });
});

test("L3: a hint that can't be written affects only the order, and is logged", async () => {
  using scene = new Scene();
  const lines: string[] = [];
  const fault = failEach(["openat"], ENOSPC, ([path]) => String(path).includes("last_reserved_ip"));
  expect(await withFault(fault, () => scene.add("a", lines))).toEqual(["10.0.0.2/29", "fd00::2/64"]);
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain("last reserved address");
  await scene.expectNothingLost();
});

test("L2: syncs the content before it has a name and the name before ADD returns, not under the lock", async () => {
  using scene = new Scene();
  await scene.add("b");
  const { calls, fault } = counter();
  await withFault(fault, () => scene.add("a"));
  const steps = calls.filter((call) => ["fsync", "flock", "linkat"].includes(call));
  expect(steps).toEqual(["fsync", "fsync", "flock", "linkat", "linkat", "fsync"]);
  const unlocked = calls.lastIndexOf("close", calls.lastIndexOf("fsync"));
  expect(unlocked).toBeGreaterThan(calls.lastIndexOf("utimensat"));
});

test("L2: DEL syncs the removal of a lease without a netns record, which a power failure could revert", async () => {
  using scene = new Scene();
  await scene.add("a");
  const syncs = async (containerId: string) => {
    const { calls, fault } = counter();
    await withFault(fault, () => scene.del(containerId));
    return calls.filter((call) => call === "fsync").length;
  };
  scene.leases.write("10.0.0.5", "d\r\neth0");
  expect([await syncs("a"), await syncs("d"), await syncs("nobody")]).toEqual([0, 1, 0]);
});

test("L2: GC syncs what it released though another lease can't be released, and reports a failure of each", async () => {
  using scene = new Scene();
  await scene.add("a");
  const stuck = (syncs: string): Fault => {
    let removals = 0;
    return (call) => {
      if (call === "unlinkat" && removals++ === 0) failEach([call], EIO)(call, []);
      if (call === "fsync") failEach([syncs], EIO)(call, []);
    };
  };
  const { calls, fault } = counter();
  const first = stuck("none");
  const both: Fault = (call, parameters) => {
    fault(call, parameters);
    first(call, parameters);
  };
  await expect(withFault(both, () => scene.gc(["b"]))).rejects.toThrow("input/output error");
  expect(Object.keys(scene.owners())).toHaveLength(1);
  expect(calls.lastIndexOf("fsync")).toBeGreaterThan(calls.lastIndexOf("unlinkat"));
  await scene.del("a");
  await scene.add("a");
  const error = toCniError(await withFault(stuck("fsync"), () => scene.gc(["b"])).catch((error) => error));
  expect(error.message.match(/input\/output error/g)).toHaveLength(2);
  await scene.expectNothingLost();
});

test("L2: releases the lease if the directory can't be synced", async () => {
  using scene = new Scene();
  await scene.add("b");
  const before = scene.owners();
  let syncs = 0;
  // The first two are the leases' own.
  const fault: Fault = (call) => {
    if (call === "fsync" && ++syncs > 2) failEach([call], EIO)(call, []);
  };
  const error = toCniError(await withFault(fault, () => scene.add("a")).catch((error) => error));
  expect(error).toMatchObject({ code: 5, message: expect.stringContaining("durable") });
  expect(scene.owners()).toEqual(before);
});

test("L2: works without unnamed files and extended attributes, and leaves no other files", async () => {
  using scene = new Scene();
  const EOPNOTSUPP = 95;
  const O_TMPFILE = 0o20000000;
  const poor: Fault = (call, parameters) => {
    failEach(["fsetxattr", "fgetxattr"], EOPNOTSUPP)(call, parameters);
    failEach(["openat"], EOPNOTSUPP, ([, , , flags]) => (Number(flags) & O_TMPFILE) !== 0)(call, parameters);
  };
  await withFault(poor, async () => {
    expect(await scene.add("a")).toEqual(["10.0.0.2/29", "fd00::2/64"]);
    await scene.check("a");
    expect(toCniError(await scene.add("a").catch((error) => error)).message).toContain(
      "duplicate allocation",
    );
    await scene.del("a");
    await scene.expectNothingLost();
  });
  expect(readdirSync(scene.leases.state)).toEqual(["net.index"]);
});

test("A41: GC removes the staged file of a killed ADD on a disk without unnamed files", async () => {
  using scene = new Scene();
  const noUnnamed = failEach(["openat"], 95, ([, , , flags]) => (Number(flags) & 0o20000000) !== 0);
  await scene.add("b");
  const fault: Fault = (call, parameters) => {
    noUnnamed(call, parameters);
    if (call === "flock" || call === "unlinkat") throw new Killed(`killed before ${call}`);
  };
  await withFault(fault, () => scene.add("a")).catch(() => {});
  expect(readdirSync(scene.leases.state).filter((name) => name.startsWith("net+"))).toHaveLength(2);
  await scene.gc(["b"]);
  expect(readdirSync(scene.leases.state)).toEqual(["net.index"]);
});

test("A37: GC continues after a lease that can't be removed, and reports it", async () => {
  using scene = new Scene();
  for (const name of ["a", "b", "c"]) await scene.add(name);
  const fault = failEach(["unlinkat"], EIO, ([path]) => String(path).endsWith("/10.0.0.2"));
  const error = toCniError(await withFault(fault, () => scene.gc(["b"])).catch((error) => error));
  expect(error).toMatchObject({ code: 5, message: expect.stringContaining("/10.0.0.2") });
  expect(scene.owners()).toEqual({ "10.0.0.2": "a", "10.0.0.3": "b", "fd00::3": "b" });
});

describe("locks", () => {
  test.each([
    ["ENOLCK", 37],
    ["EOPNOTSUPP", 95],
    ["ENOSYS", 38],
  ])("L7: a file system without locks is an error: %s", async (name, errno) => {
    using scene = new Scene();
    await scene.add("b");
    const before = scene.leases.all();
    const calls: (() => Promise<unknown>)[] = [
      () => scene.add("a"),
      () => scene.del("b"),
      () => scene.check("b"),
      () => scene.gc([]),
    ];
    for (const call of calls) {
      const error = toCniError(await withFault(failEach(["flock"], errno), call).catch((error) => error));
      expect(error.code).toBe(5);
      expect(error.message).toContain(name);
      expect(error.message).toContain("flock(2)");
    }
    expect(scene.leases.all()).toEqual(before);
  });
});
