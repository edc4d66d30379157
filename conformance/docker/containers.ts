/** docker-run.sh: a container without a network of Docker's gets one from the plugins. */
import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { outcomeOf, outputOf } from "../../test/support/command.ts";
import { eventually } from "../../test/support/eventually.ts";
import { ask, HTTPD } from "../busybox.ts";
import { HOST, OUTSIDE } from "../outside.ts";
import type { Cases } from "../scratch-worker.ts";
import type { Docker } from "./daemon.ts";
import type { Scripts } from "./scripts.ts";

const SCRIPT = "docker-run.sh";
const IMAGE = "busybox:latest";
const LEASES = "/var/lib/cni/networks/mynet";

/** A container that waits, with its attachment as docker-run.sh would make it. */
class Sleeper {
  readonly id: string;
  private netns = "";

  private constructor(id: string) {
    this.id = id;
  }

  static async start(docker: Docker): Promise<Sleeper> {
    const sleeper = new Sleeper(await docker.run(["run", "-d", "--net=none", IMAGE, "/bin/sleep", "1000"]));
    await sleeper.look(docker);
    return sleeper;
  }

  /** Learns the namespace that the container has now. */
  async look(docker: Docker): Promise<void> {
    this.netns = `/proc/${await docker.run(["inspect", "-f", "{{ .State.Pid }}", this.id])}/ns/net`;
  }

  call(command: "add" | "del"): string[] {
    return [command, this.id, this.netns];
  }
}

/** The folder comes with the first lease. */
const leases = (): string[] =>
  existsSync(LEASES) ? readdirSync(LEASES).filter((name) => /^[\d.]+$/.test(name)) : [];

export function containerCases(scripts: Scripts, docker: Docker): Cases {
  const run = (...words: readonly string[]) => scripts.run(SCRIPT, ["--rm", ...words]);
  const call = async (sleeper: Sleeper, command: "add" | "del") => {
    const { exitCode, stdout, stderr } = await scripts.outcome("exec-plugins.sh", sleeper.call(command));
    return { exitCode, said: stdout + stderr };
  };
  const GOOD = { exitCode: 0, said: "" };
  const inside = (sleeper: Sleeper, ...words: readonly string[]) =>
    docker.run(["exec", sleeper.id, ...words]);

  return {
    "docker-run.sh --rm busybox:latest ifconfig": async () => {
      scripts.configure();
      const said = await scripts.outcome(SCRIPT, ["--rm", IMAGE, "ifconfig"]);
      equal(said.exitCode, 0, said.stdout + said.stderr);
      equal(said.stderr, "");
      match(
        said.stdout,
        /^eth0 .*\n\s+inet addr:10\.22\.\d+\.\d+ {2}Bcast:10\.22\.255\.255 {2}Mask:255\.255\.0\.0/m,
      );
      match(said.stdout, /^lo .*\n\s+inet addr:127\.0\.0\.1/m);
      deepEqual(leases(), []);
      return "eth0 with its address, lo up, silence on stderr";
    },
    "docker-run.sh: the way out": async () => {
      scripts.configure();
      equal((await run(IMAGE, "ip", "route")).split("\n")[0]?.trim(), "default via 10.22.0.1 dev eth0");
      const asked = await run(IMAGE, ...ask(OUTSIDE.v4));
      equal(asked.trim().split(" ").at(-1), HOST.v4);
      return "default route; masqueraded";
    },
    "docker-run.sh: one container asks another": async () => {
      scripts.configure();
      const server = run("--name", "server", IMAGE, ...HTTPD);
      const served = server.catch((error) => error);
      const address = await eventually("the server has an address", () => leases()[0]);
      const itself = ["docker", "exec", "server", ...ask(address)];
      const answers = async () => (await outcomeOf(itself, { env: docker.environment })).exitCode === 0;
      await eventually("the server answers itself", answers);
      const said = await run(IMAGE, ...ask(address));
      const client = said.trim().split(" ").at(-1) ?? "";
      match(client, /^10\.22\.\d+\.\d+$/);
      notEqual(client, address);
      await docker.run(["kill", "server"]);
      await served;
      return "by its address, without masquerade";
    },
    "exec-plugins.sh add twice": async () => {
      scripts.configure();
      const sleeper = await Sleeper.start(docker);
      deepEqual(await call(sleeper, "add"), GOOD);
      const before = await inside(sleeper, "ip", "addr");
      const again = await call(sleeper, "add");
      notEqual(again.exitCode, 0);
      match(again.said, /^mynet : error executing ADD: \{/);
      equal(await inside(sleeper, "ip", "addr"), before, "addresses in the container");
      await inside(sleeper, "ping", "-c", "1", "-W", "30", "10.22.0.1");
      deepEqual(await call(sleeper, "del"), GOOD);
      deepEqual(await call(sleeper, "del"), GOOD, "a second del");
      deepEqual(leases(), []);
      await docker.run(["rm", "-f", sleeper.id]);
      return "an error, the first attachment still works, del twice";
    },
    "exec-plugins.sh del after the container died": async () => {
      scripts.configure();
      const sleeper = await Sleeper.start(docker);
      deepEqual(await call(sleeper, "add"), GOOD);
      await docker.run(["kill", sleeper.id]);
      deepEqual(await call(sleeper, "del"), GOOD);
      deepEqual(leases(), []);
      equal(await outputOf("iptables-save | grep mynet || true"), "");
      await docker.run(["rm", sleeper.id]);
      return "lease and masquerade are gone";
    },
    "exec-plugins.sh around docker restart": async () => {
      scripts.configure();
      const sleeper = await Sleeper.start(docker);
      deepEqual(await call(sleeper, "add"), GOOD);
      await docker.run(["restart", "-t", "0", sleeper.id]);
      deepEqual(await call(sleeper, "del"), GOOD, "del with the namespace that is gone");
      await sleeper.look(docker);
      deepEqual(await call(sleeper, "add"), GOOD);
      await inside(sleeper, "ping", "-c", "1", "-W", "30", OUTSIDE.v4);
      deepEqual(await call(sleeper, "del"), GOOD);
      await docker.run(["rm", "-f", sleeper.id]);
      return "del of the old namespace, add of the new one, the way out";
    },
  };
}
