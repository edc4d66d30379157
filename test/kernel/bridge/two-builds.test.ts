/** K29: the Bun file and the compact file are interchangeable in the middle of an attachment's life. */
import { describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import { inParallel } from "../../support/parallel.ts";
import { builtBinaries, callProgram, type PluginOutcome } from "../../support/plugin-call.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless } from "../../support/skip.ts";
import {
  type AddResult,
  type Attachment,
  hostLocal,
  leased,
  listing,
  prepare,
  STAYS,
  V4,
  V6,
} from "./network.ts";

const DIST = resolve(import.meta.dir, "../../../dist");
/** The build that is tested, and the other of the two. */
const [ONE, OTHER] = [
  builtBinaries(),
  builtBinaries() === `${DIST}/compact` ? `${DIST}/bin` : `${DIST}/compact`,
];
const missing = existsSync(`${OTHER}/bridge`) ? undefined : `no ${OTHER.slice(DIST.length + 1)} in dist`;
const twoBuilds = hostTests({ mayKeep: STAYS }, testUnless(missing));

const LOG = "/run/strace.log";

const DIRECTIONS = [
  ["the other goes on", ONE, OTHER],
  ["the other begins", OTHER, ONE],
] as const;

/** A call of one of the builds, whatever comes of it. */
const call = (folder: string, one: Attachment, command: string, keys: object = {}): Promise<PluginOutcome> =>
  callProgram([`${folder}/bridge`], one.request(command, keys), folder);

async function add(folder: string, one: Attachment): Promise<void> {
  const outcome = await call(folder, one, "ADD");
  expect(`${outcome}`).toStartWith("exit code 0");
  one.result = outcome.json<AddResult>();
}

/** CHECK, DEL or GC that must succeed. */
const succeeds = async (folder: string, one: Attachment, command: string, keys: object = {}) =>
  expect(
    `${command} by ${folder}: ${await call(folder, one, command, { prevResult: one.result, ...keys })}`,
  ).toStartWith(`${command} by ${folder}: exit code 0, stdout ""`);

const DUAL = { isGateway: true, ipMasq: true, ipam: hostLocal(V4, V6) };
const NETWORKS: readonly [string, object][] = [
  ["nftables, dual-stack", { ...DUAL, ipMasqBackend: "nftables" }],
  ["iptables, dual-stack", { ...DUAL, ipMasqBackend: "iptables" }],
  ["spoof check", { ...DUAL, ipMasqBackend: "nftables", macspoofchk: true, hairpinMode: true }],
  ["a folder of leases elsewhere", { ipam: { ...hostLocal(V4), dataDir: "/var/lib/cni/elsewhere" } }],
];

describe.each(DIRECTIONS)("K29: %s", (_, first, second) => {
  twoBuilds.each(NETWORKS)("%s: CHECK, DEL and GC of what another build has added", async (host, _, keys) => {
    const [c1, c2, c3] = await Promise.all(["c1", "c2", "c3"].map((name) => prepare(host, name, keys)));
    if (c1 === undefined || c2 === undefined || c3 === undefined) throw new Error("no containers");
    await add(first, c1);
    await add(second, c2);
    await add(first, c3);
    for (const one of [c1, c2, c3])
      for (const folder of [second, first]) await succeeds(folder, one, "CHECK");
    // The one that comes last has the interface as the first has made it: its ADD again is refused by both.
    for (const folder of [first, second]) expect((await call(folder, c1, "ADD")).exitCode).toBe(1);
    await succeeds(first, c2, "CHECK");
    await succeeds(second, c1, "DEL");
    await succeeds(first, c2, "DEL");
    await succeeds(second, c3, "CHECK");
    await succeeds(second, c3, "GC", listing("c2"));
    expect(await c3.interfaces()).toEqual(["lo"]);
    for (const one of [c1, c2, c3]) await succeeds(first, one, "DEL", { prevResult: undefined });
    await host.run("rm -rf /var/lib/cni/elsewhere");
  });

  twoBuilds("the index that one wrote saves the other from reading the folder", async (host) => {
    const all = await containers(host, 6);
    for (const [index, one] of all.entries()) await add(index % 2 === 0 ? first : second, one);
    for (const folder of [second, first, second]) {
      const next = await prepare(host, `c${Math.random()}`, KEYS);
      const strace = ["strace", "-o", LOG, "--trace=getdents64"];
      const added = await callProgram([...strace, `${folder}/bridge`], next.request("ADD"), folder);
      expect(`${added}`).toStartWith("exit code 0");
      expect(readFileSync(LOG, "utf8")).not.toContain("getdents64");
      await host.run(`rm ${LOG}`);
      all.push(next);
    }
    expect(leased()).toHaveLength(all.length);
    for (const [index, one] of all.entries())
      await succeeds(index % 2 === 0 ? second : first, one, "DEL", { prevResult: undefined });
    expect(leased()).toEqual([]);
  });

  twoBuilds("one waits for the lock of the leases while the other holds it", async (host) => {
    const [holder, waiter] = await containers(host, 2);
    if (holder === undefined || waiter === undefined) throw new Error("no containers");
    // The holder is stopped when its lease gets its name.
    const strace = [
      "strace",
      "-o",
      "/run/strace.log",
      "--trace=linkat",
      "--inject=linkat:signal=STOP:when=1",
    ];
    const holding = callProgram([...strace, `${first}/bridge`], holder.request("ADD"), first);
    await eventually(
      "the holder has stopped",
      () => existsSync(LOG) && readFileSync(LOG, "utf8").includes("stopped by"),
    );
    const locks = () => readFileSync("/proc/locks", "utf8");
    const pid = Number(/: FLOCK +ADVISORY +WRITE (\d+)/.exec(locks())?.[1]);
    const waiting = call(second, waiter, "ADD");
    await eventually("the other waits", () => locks().includes("-> FLOCK"));
    process.kill(pid, "SIGCONT");
    const outcomes = await Promise.all([holding, waiting]);
    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    expect(leased()).toHaveLength(2);
    await host.run(`rm ${LOG}`);
    for (const one of [holder, waiter]) await succeeds(second, one, "DEL", { prevResult: undefined });
  });
});

twoBuilds("K29: many at once, by both in turn: no address twice, no rule lost", async (host) => {
  const all = await containers(host, 24);
  const sideOf = new Map(all.map((one, index) => [one, index % 2 === 0 ? ONE : OTHER]));
  const otherOf = (one: Attachment) => (sideOf.get(one) === ONE ? OTHER : ONE);
  await inParallel(all, 12, (one) => add(sideOf.get(one) ?? ONE, one));
  expect(new Set(all.flatMap(({ result }) => result.ips.map(({ address }) => address))).size).toBe(
    all.length,
  );
  expect(new Set(all.map(({ result }) => result.interfaces[0]?.mac)).size).toBe(1);
  await inParallel(all, 12, (one) => succeeds(otherOf(one), one, "CHECK"));
  await inParallel(all, 12, (one) => succeeds(otherOf(one), one, "DEL"));
  expect(leased()).toEqual([]);
});

const KEYS = { isGateway: true, ipMasq: true, ipMasqBackend: "nftables" };

async function containers(host: ScratchHost, count: number): Promise<Attachment[]> {
  const all: Attachment[] = [];
  for (let index = 0; index < count; index++) all.push(await prepare(host, `c${index}`, KEYS));
  return all;
}
