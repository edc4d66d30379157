/** O6, O11, O12: what `gc` and `release` free on a host with real containers, beside the scripts that people use. */
import { describe, expect } from "bun:test";
import {
  closeSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { command } from "../../operator/recording.ts";
import { outcomeOf } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import type { ScratchHost } from "../../support/scratch-host.ts";
import { testUnless, whyNoProgram } from "../../support/skip.ts";
import { PROJECT } from "../../support/test-files.ts";
import { addByGo } from "../bridge/go-attachment.ts";
import { Attachment, LEASES, NETWORK, STAYS } from "../bridge/network.ts";

/** The copies of freed leases stay for a day. */
const freeingTest = hostTests({ mayKeep: [...STAYS, /\/\.bridgehead\/freed\+testnet /] });

const MASQUERADED = { isGateway: true, ipMasq: true, ipMasqBackend: "nftables" };

/** A container with an id as runtimes make it. */
async function add(host: ScratchHost, name: string, keys: object = MASQUERADED): Promise<Attachment> {
  const containerId = name.padEnd(64, "0").replaceAll(/[^0-9a-f]/g, "e");
  const attachment = new Attachment(host, await host.addNamespace(name), keys, { containerId });
  await attachment.add();
  return attachment;
}

const addressOf = ({ result }: Attachment): string => result.ips[0]?.address.split("/")[0] ?? "";

/** The container ends and its DEL never comes. Its lease is proven dead when the kernel has let the namespace go. */
async function crash(host: ScratchHost, { namespace, containerId }: Attachment): Promise<void> {
  await host.run(["ip", "netns", "delete", namespace.name]);
  await eventually("a dead lease", async () =>
    (await command(["leases", "--state", "dead", "--json"])).stdout.includes(containerId),
  );
}

/** Addresses with a lease. */
const leased = (folder = LEASES): string[] =>
  readdirSync(folder)
    .filter((name) => /^\d+\.\d+\.\d+\.\d+$/.test(name))
    .sort();

const masqueraded = async (host: ScratchHost, { containerId }: Attachment): Promise<boolean> =>
  (await host.run(["nft", "list", "ruleset"])).includes(containerId.slice(0, 20));

describe("O11: gc", () => {
  freeingTest("frees exactly the proven dead, with their rules; unknown and living stay", async (host) => {
    const [living, dead] = [await add(host, "a1"), await add(host, "b2")];
    const go = await addByGo(host, await host.addNamespace("c3"), "10.77.0.9");
    await host.run(["ip", "link", "delete", go.veth]);
    await crash(host, dead);
    expect(await masqueraded(host, dead)).toBe(true);

    const plan = await command(["gc"]);
    expect(plan).toMatchObject({ exitCode: 0, stderr: "nothing was changed; --yes does it\n" });
    expect(plan.stdout).toContain(
      `testnet: ${addressOf(dead)} and 1 rule of container ${dead.containerId}, interface eth0: its network namespace is gone\nwould free 1 address, 1 rule\n`,
    );
    expect(leased()).toEqual([addressOf(living), addressOf(dead), "10.77.0.9"].sort());

    expect(await command(["gc", "--yes"])).toMatchObject({ exitCode: 0, stderr: "" });
    expect(leased()).toEqual([addressOf(living), "10.77.0.9"].sort());
    expect(await masqueraded(host, dead)).toBe(false);
    expect(await masqueraded(host, living)).toBe(true);
    expect((await command(["gc", "--yes"])).stdout).toBe(
      '1 unknown lease stays: see "leases --state unknown", and free them by "gc --alive" or "release"\nnothing to free\n',
    );
    rmSync(join(LEASES, "10.77.0.9"));
    await living.del();
  });

  freeingTest("with a list also frees the unknown, but never what shows a sign of life", async (host) => {
    const [listed, unlisted] = [await add(host, "a1"), await add(host, "b2")];
    const go = await addByGo(host, await host.addNamespace("c3"), "10.77.0.9");
    await host.run(["ip", "link", "delete", go.veth]);
    writeFileSync("/run/list", `${listed.containerId}\n`);
    const { exitCode, stdout } = await command(["gc", "--alive", "/run/list", "--yes"]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("10.77.0.9 of container c3, interface eth0: it is not on the list");
    expect(stdout).toContain(`kept ${addressOf(unlisted)} of container ${unlisted.containerId}`);
    expect(stdout).toContain("freed 1 address, 0 rules\n");
    expect(leased()).toEqual([addressOf(listed), addressOf(unlisted)].sort());
    rmSync("/run/list");
    for (const each of [listed, unlisted]) await each.del();
  });

  freeingTest("O4: an empty list needs --none-alive, a tool that fails ends it with 4", async (host) => {
    const living = await add(host, "a1");
    const go = await addByGo(host, await host.addNamespace("c3"), "10.77.0.9");
    await host.run(["ip", "link", "delete", go.veth]);
    writeFileSync("/run/list", "\n");
    expect(await command(["gc", "--alive", "/run/list", "--yes"])).toMatchObject({ exitCode: 2 });
    expect(
      await command(["gc", "--alive", "crictl", "--yes"], { environment: { PATH: "/nowhere" } }),
    ).toMatchObject({ exitCode: 4 });
    expect(leased()).toContain("10.77.0.9");
    const all = await command(["gc", "--alive", "/run/list", "--none-alive", "--yes", "-q"]);
    expect(all).toMatchObject({ exitCode: 0, stdout: "10.77.0.9\n" });
    expect(leased()).toEqual([addressOf(living)]);
    rmSync("/run/list");
    await living.del();
  });

  freeingTest("acts on a report, skips what has changed since, and takes it back", async (host) => {
    const [one, two] = [await add(host, "a1"), await add(host, "b2")];
    await crash(host, one);
    await crash(host, two);
    // All that one run has freed comes back, not only what the last of the containers had.
    const both = [addressOf(one), addressOf(two)].sort();
    expect((await command(["gc", "--yes"])).stdout).toContain("freed 2 addresses");
    expect(leased()).toEqual([]);
    expect(await command(["gc", "--undo", "--yes"])).toMatchObject({ exitCode: 0, stderr: "" });
    expect(leased()).toEqual(both);
    expect(await command(["gc", "--report", "/run/report"])).toMatchObject({ exitCode: 0 });
    const changed = join(LEASES, addressOf(two));
    rmSync(changed);
    writeFileSync(changed, "other\r\neth0");
    const { stdout } = await command(["gc", "--from-report", "/run/report", "--yes"]);
    expect(stdout).toContain(
      `skipped ${addressOf(two)} of container ${two.containerId}: it was given to another container since the report\n`,
    );
    expect(stdout).toContain("freed 1 address");
    expect(leased()).toEqual([addressOf(two)]);

    expect((await command(["gc", "--undo", "-q"])).stdout).toBe(`${addressOf(one)}\n`);
    const undone = await command(["gc", "--undo", "--json", "--yes"]);
    const back = [
      { network: NETWORK, address: addressOf(one), containerID: one.containerId, ifname: "eth0" },
    ];
    expect([undone.exitCode, JSON.parse(undone.stdout)]).toEqual([
      0,
      { version: 1, leases: back, restored: back },
    ]);
    expect(leased()).toEqual([addressOf(one), addressOf(two)].sort());
    expect(readFileSync(join(LEASES, addressOf(one)), "utf8")).toBe(`${one.containerId}\r\neth0`);
    // The record is back as well: it is still proven dead.
    expect((await command(["leases", "--state", "dead", "-q"])).stdout).toBe(`${addressOf(one)}\n`);
    expect((await command(["gc", "--undo"])).stdout).toBe("nothing was freed within a day\n");
    for (const path of ["/run/report", changed]) rmSync(path);
    for (const each of [one, two]) await each.del();
  });
});

describe("O6: a container that starts meanwhile keeps its address", () => {
  /** The command in a process of its own, as the test has to act while it waits. */
  const gc = (...words: string[]) =>
    Bun.spawn([process.execPath, `${PROJECT}/src/main.ts`, "gc", ...words], {
      env: process.env,
      stdout: "pipe",
      stderr: "pipe",
    });

  freeingTest("that starts after the leases were read and is not on the list", async (host) => {
    const listed = await add(host, "a1");
    const go = await addByGo(host, await host.addNamespace("c3"), "10.77.0.9");
    await host.run(["ip", "link", "delete", go.veth]);
    await host.run(["mkfifo", "/run/list"]);
    const child = gc("--alive", "/run/list", "--yes");
    // Opening it for writing succeeds as soon as the command has it open, and so has read leases and rules.
    const list = await eventually("the command at its list", () => {
      try {
        return openSync("/run/list", constants.O_WRONLY | constants.O_NONBLOCK);
      } catch {
        return undefined;
      }
    });
    // As the reference would start it: without any record.
    const late = await addByGo(host, await host.addNamespace("d4"), "10.77.0.10");
    writeSync(list, `${listed.containerId}\n`);
    closeSync(list);
    expect(await new Response(child.stdout).text()).toContain("freed 1 address");
    expect(await child.exited).toBe(0);
    expect(leased()).toEqual([addressOf(listed), "10.77.0.10"].sort());
    rmSync("/run/list");
    await host.run(["ip", "link", "delete", late.veth]);
    rmSync(join(LEASES, "10.77.0.10"));
    await listed.del();
  });

  freeingTest("that gets the address of a dead one before it is freed", async (host) => {
    const dead = await add(host, "a1");
    await crash(host, dead);
    const path = join(LEASES, addressOf(dead));
    // Whoever gives an address holds the lock: the command stops at its flock(2).
    const holder = Bun.spawn(["flock", join(LEASES, "lock"), "sh", "-c", "echo held; read -r _"], {
      env: process.env,
      stdin: "pipe",
      stdout: "pipe",
    });
    for await (const _ of holder.stdout) break;
    const child = gc("--yes", "--json");
    await eventually("the command at the lock", () =>
      readFileSync(`/proc/${child.pid}/syscall`, "utf8").startsWith(process.arch === "x64" ? "73 " : "32 "),
    );
    rmSync(path);
    writeFileSync(path, "new\r\neth0");
    holder.stdin.end();
    // One document, whatever happens meanwhile (O3).
    const { freed, skipped } = JSON.parse(await new Response(child.stdout).text());
    const who = `${addressOf(dead)} of container ${dead.containerId}, interface eth0`;
    expect({ freed, skipped }).toEqual({
      freed: [],
      skipped: [`skipped ${who}: it is another container's by now`],
    });
    expect(readFileSync(path, "utf8")).toBe("new\r\neth0");
    rmSync(path);
    await dead.del();
  });
});

describe("O11: the scripts that people use, beside gc", () => {
  /** Each line that is one word counts as an id; a file with a word that the runtime does not know is removed. */
  const WORDS = `for word in $(grep -hE '^[A-Za-z0-9]+$' "$DIR"/* | cut -c1-8); do
    docker ps | grep -q "$word" || grep -il "$word" "$DIR"/* | xargs -r rm -f
  done; true`;
  /** The id is what has 64 digits at the end of a line. */
  const DIGITS = `for file in "$DIR"/*; do
    id=$(grep -oE '[0-9a-f]{64}$' "$file") || continue
    crictl pods -q | grep -q "$id" || rm -f "$file"
  done; true`;

  freeingTest("one frees the living, the other nothing, gc exactly the dead", async (host) => {
    const [one, two, dead] = [await add(host, "a1"), await add(host, "b2"), await add(host, "c3")];
    await crash(host, dead);
    const living = [addressOf(one), addressOf(two)].sort();
    await host.run(["mkdir", "-p", "/run/tools"]);
    const pods = [one, two].map(({ containerId }) => ({ id: containerId }));
    const ids = pods.map(({ id }) => id).join("\\n");
    writeFileSync("/run/tools/docker", `#!/bin/sh\nprintf 'CONTAINER ID\\n${ids}\\n'\n`, { mode: 0o755 });
    writeFileSync(
      "/run/tools/crictl",
      `#!/bin/sh\n[ "$2" = -q ] && printf '${ids}\\n' || echo '${JSON.stringify({ items: pods })}'\n`,
      { mode: 0o755 },
    );
    const environment = { PATH: `/run/tools:${process.env.PATH}` };
    for (const [name, script] of [
      ["words", WORDS],
      ["digits", DIGITS],
    ] as const) {
      cpSync(LEASES, `/run/${name}`, { recursive: true });
      await outcomeOf(["/bin/sh", "-c", script], { env: { ...environment, DIR: `/run/${name}` } });
    }
    expect(leased("/run/words")).toEqual([]);
    expect(leased("/run/digits")).toEqual([...living, addressOf(dead)].sort());
    expect(await command(["gc", "--alive", "crictl", "--yes"], { environment })).toMatchObject({
      exitCode: 0,
    });
    expect(leased()).toEqual(living);
    for (const path of ["/run/tools", "/run/words", "/run/digits"]) rmSync(path, { recursive: true });
    for (const each of [one, two, dead]) await each.del();
  });
});

const terminalTest = hostTests({}, testUnless(whyNoProgram("script")));

terminalTest("O20: on a terminal, gc says for whom it waits, and erases that", async (host) => {
  const answer = "/run/tools/answer";
  await host.run(["mkdir", "-p", "/run/tools"]);
  await host.run(["mkfifo", answer]);
  writeFileSync("/run/tools/crictl", `#!/bin/sh\ncat ${answer}\n`, { mode: 0o755 });
  const log = "/run/tools/log";
  const program = `${process.execPath} ${join(PROJECT, "src/main.ts")} gc --alive crictl`;
  const env = { ...process.env, TERM: "xterm", PATH: `/run/tools:${process.env.PATH}` };
  const ended = outcomeOf(["script", "-qfec", program, log], { env });
  const said = () => (existsSync(log) ? readFileSync(log, "utf8").replace(/^Script started.*\n/, "") : "");
  await eventually("the line", () => said().includes("asking crictl for the living containers, "), {
    state: said,
  });
  writeFileSync(answer, '{"items":[{"id":"abc"}]}');
  expect((await ended).exitCode).toBe(0);
  expect(said().replaceAll("\x1b[K", "<erased>")).toMatch(
    /^(\r[^\r]+, \d+ s<erased>)+\r<erased>nothing to free\r\n/,
  );
  rmSync("/run/tools", { recursive: true });
});

describe("O12: release", () => {
  freeingTest("frees a dead or unknown lease, and refuses that of a living container", async (host) => {
    const [living, dead] = [await add(host, "a1"), await add(host, "b2")];
    await crash(host, dead);
    const go = await addByGo(host, await host.addNamespace("c3"), "10.77.0.9");
    const refused = await command(["release", "testnet", addressOf(living), "--yes"]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toMatch(
      /cannot release 10\.77\.0\.\d+: container a1e?0+, interface eth0 has had it for \d+\w and lives: its namespace lives; stop the container/,
    );
    expect((await command(["release", "testnet", "10.77.0.9", "--yes"])).exitCode).toBe(1);
    await host.run(["ip", "link", "delete", go.veth]);
    expect(await command(["release", "testnet", "10.77.0.9"])).toMatchObject({
      exitCode: 0,
      stderr: "nothing was changed; --yes does it\n",
    });
    expect(await command(["release", "testnet", "10.77.0.9", "--yes"])).toMatchObject({ exitCode: 0 });
    expect(await command(["release", "testnet", dead.containerId.slice(0, 12), "--yes", "-q"])).toMatchObject(
      { exitCode: 0, stdout: `${addressOf(dead)}\n` },
    );
    expect(leased()).toEqual([addressOf(living)]);
    expect((await command(["release", "testnet", "10.77.0.9", "--yes"])).exitCode).toBe(1);
    expect((await command(["release", "testnet", addressOf(living), "--yes", "--force"])).exitCode).toBe(0);
    expect(leased()).toEqual([]);
    // Each interface is freed on its own, but one run has freed them all.
    const interfaces = ["10.77.0.20", "10.77.0.21"];
    for (const [index, address] of interfaces.entries())
      writeFileSync(join(LEASES, address), `c5\r\neth${index}`);
    expect((await command(["release", "testnet", "c5", "--yes"])).exitCode).toBe(0);
    expect(leased()).toEqual([]);
    // The last run of all networks comes back, and nothing of the runs before it.
    const other = `${LEASES}/../other`;
    mkdirSync(other);
    writeFileSync(join(other, "10.78.0.2"), "c6\r\neth0");
    expect((await command(["release", "other", "c6", "--yes"])).exitCode).toBe(0);
    expect((await command(["gc", "--undo", "--yes"])).stdout).toMatch(
      /^freed \d+s ago:\nother: 10\.78\.0\.2 of container c6, interface eth0\n/,
    );
    expect([leased(), leased(other)]).toEqual([[], ["10.78.0.2"]]);
    for (const path of [other, `${LEASES}/../.bridgehead/other.index`]) rmSync(path, { recursive: true });
    expect((await command(["gc", "--undo", "--yes"])).exitCode).toBe(0);
    expect(leased()).toEqual(interfaces);
    for (const address of interfaces) rmSync(join(LEASES, address));
    for (const each of [living, dead]) await each.del();
  });
});
