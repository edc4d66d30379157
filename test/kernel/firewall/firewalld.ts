/** The real firewalld on a bus of its own, at the place of the system bus: /run of a scratch host is empty. */
import { mkdirSync, rmSync } from "node:fs";
import { outcomeOf, outputOf } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { whyNoProgram } from "../../support/skip.ts";

const SOCKET = "/run/dbus/system_bus_socket";

/** Why there can't be a firewalld here; undefined when there can. */
export const whyNoFirewalld = (): string | undefined =>
  whyNoProgram("firewalld") ?? whyNoProgram("dbus-daemon");

type Child = Bun.Subprocess<"ignore", "ignore", "ignore">;

export class Firewalld implements AsyncDisposable {
  private readonly bus: Child;
  private service: Child | undefined;

  private constructor(bus: Child) {
    this.bus = bus;
  }

  /** Starts the bus, and firewalld on it unless `isRunning` is false. */
  static async start(isRunning = true): Promise<Firewalld> {
    mkdirSync("/run/dbus", { recursive: true });
    mkdirSync("/run/firewalld", { recursive: true });
    const bus = spawn(["dbus-daemon", "--system", "--nofork", "--nopidfile", "--nosyslog"]);
    await eventually("the bus listens", async () => (await outcomeOf(["test", "-S", SOCKET])).exitCode === 0);
    const firewalld = new Firewalld(bus);
    if (isRunning) await firewalld.run();
    return firewalld;
  }

  /** Starts firewalld itself. */
  async run(): Promise<void> {
    this.service = spawn(["firewalld", "--nofork", "--nopid", "--log-target=console"]);
    await eventually("firewalld runs", async () => (await outcomeOf("firewall-cmd --state")).exitCode === 0);
  }

  /** What firewall-cmd prints. @throws CommandFailed */
  command = async (...words: string[]): Promise<string> =>
    (await outputOf(["firewall-cmd", ...words])).trim();

  /** The sources of a zone. */
  async sources(zone = "trusted"): Promise<string[]> {
    const text = await this.command(`--zone=${zone}`, "--list-sources");
    return text === "" ? [] : text.split(" ").sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of [this.service, this.bus]) {
      child?.kill("SIGTERM");
      await child?.exited;
    }
    for (const folder of ["/run/dbus", "/run/firewalld"]) rmSync(folder, { recursive: true, force: true });
  }
}

const spawn = (command: string[]): Child =>
  Bun.spawn(command, { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
