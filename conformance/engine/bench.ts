/** What a case has in hand: calls, and the means to judge what came of them. */
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Outcome } from "../../test/support/command.ts";
import type { NamedNamespace } from "../../test/support/scratch-host.ts";
import { Aliases } from "./aliases.ts";
import { Answer, type Question, versionIn } from "./answer.ts";
import { type Environment, HOST, type Host } from "./host.ts";
import { type JsonRecord, LEASES, NOTES, netnsPath, PLUGIN_PATH, type PluginName } from "./network.ts";
import type { Problem, StepObservation } from "./observation.ts";
import { stateTree } from "./state-tree.ts";
import { describe, describePath, differences, type Tree } from "./tree.ts";

export type Who = "reference" | "ours";

export interface CallOptions {
  /** That of the bench when left out. */
  readonly plugin?: PluginName;
  /** c1 when left out. */
  readonly container?: string;
  /** "id-" and the container when left out. */
  readonly id?: string;
  readonly ifname?: string;
  /** On top of the customary variables; undefined leaves one out. */
  readonly env?: Environment;
  /** Plugin and command when left out. */
  readonly label?: string;
  /** Instead of a label: what is said of the command in it, as in "ADD, 1.1.0". */
  readonly how?: string;
  /** Words in front of the program, as in `setpriv …`. */
  readonly through?: readonly string[];
  /** Milliseconds until the plugin is killed. */
  readonly limit?: number;
  /** Its result becomes the configuration's prevResult. */
  readonly after?: Answer;
  /** Changes that result first. */
  readonly edit?: (result: Record<string, unknown>) => void;
  /** Whether what is said on stderr is compared. */
  readonly comparesStderr?: boolean;
}

/** How standard input is connected: it may give nothing for ever, or be unreadable. */
export type Input = "silent" | "terminal" | "closed" | "folder" | "write-only";

interface Refusal {
  readonly code: number | readonly number[];
  /** What the message and the details hold. */
  readonly says?: RegExp | string;
  /** The details exactly. */
  readonly details?: string;
}

/** As far as the cases look into `ip -d -j addr`. */
export interface Link {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly address: string;
  readonly mtu: number;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number }[];
}

export class Bench {
  readonly who: Who;
  readonly host: Host;
  readonly steps: StepObservation[] = [];
  readonly problems: Problem[] = [];
  readonly notes: string[] = [];
  /** What of an answer breaks a rule, whatever the case is about. */
  rules: (answer: Answer) => readonly string[] = () => [];

  /** What is called, and CNI_PATH, unless a call says otherwise. */
  plugin: PluginName = "bridge";
  path = PLUGIN_PATH;

  private readonly labels = new Set<string>();

  constructor(who: Who, host: Host) {
    this.who = who;
    this.host = host;
  }

  /** Calls a plugin. */
  async call(
    command: string | undefined,
    config: JsonRecord | string,
    options: CallOptions = {},
  ): Promise<Answer> {
    const { question, environment, program } = this.prepare(command, config, options);
    const { through = [], limit } = options;
    const outcome = await this.host.call([...through, program], environment, {
      stdin: question.stdin,
      ...(limit !== undefined && { timeout: limit }),
    });
    return this.answer(question, outcome, options);
  }

  /** The same with another kind of standard input. */
  async callWith(input: Input, command: string | undefined, options: CallOptions = {}): Promise<Answer> {
    const { question, environment, program } = this.prepare(command, "", options);
    const run = (script: string) =>
      this.host.call(["/bin/sh", "-c", script, "sh", program], environment, { stdin: "" });
    switch (input) {
      case "silent":
        return this.answer(question, await this.host.callSilent([program], environment), options);
      case "closed":
        return this.answer(question, await run('exec "$1" <&-'), options);
      case "write-only":
        return this.answer(question, await run('exec "$1" 0> /dev/null'), options);
      case "folder":
        return this.answer(question, await run('exec "$1" < /run'), options);
      case "terminal": {
        // script(1) has the terminal for both directions, so what the plugin prints goes to files.
        const inner = `${program} >${NOTES}/out 2>${NOTES}/err`;
        const words = ["script", "-q", "-e", "-c", inner, "/dev/null"];
        const outcome = await this.host.callSilent(words, environment);
        const read = (name: string) => Bun.file(join(NOTES, name)).text();
        return this.answer(
          question,
          { ...outcome, stdout: await read("out"), stderr: await read("err") },
          options,
        );
      }
    }
  }

  private prepare(command: string | undefined, config: JsonRecord | string, options: CallOptions) {
    const {
      plugin = this.plugin,
      how,
      container = "c1",
      id = `id-${container}`,
      ifname = "eth0",
      after,
    } = options;
    const prevResult =
      after?.exitCode === 0 ? (JSON.parse(after.stdout) as Record<string, unknown>) : undefined;
    if (prevResult !== undefined) options.edit?.(prevResult);
    const stdin =
      typeof config === "string" ? config : JSON.stringify({ ...config, ...(prevResult && { prevResult }) });
    const environment: Environment = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: id,
      CNI_NETNS: netnsPath(container),
      CNI_IFNAME: ifname,
      CNI_PATH: this.path,
      ...options.env,
    };
    const question: Question = {
      label: this.label(
        options.label ??
          (how === undefined ? `${plugin} ${command || "without command"}` : `${command}, ${how}`),
      ),
      plugin,
      command,
      stdin,
      netns: environment.CNI_NETNS ?? "",
      ifname: environment.CNI_IFNAME ?? "",
    };
    return { question, environment, program: join(PLUGIN_PATH, plugin) };
  }

  /** A label that no other step of the case has. */
  private label(wished: string): string {
    let label = wished;
    for (let number = 2; this.labels.has(label); number++) label = `${wished} #${number}`;
    this.labels.add(label);
    return label;
  }

  private answer(question: Question, outcome: Outcome, { comparesStderr = false }: CallOptions): Answer {
    const answer = new Answer(question, outcome);
    const { exitCode, stdout, stderr } = outcome;
    const call = { command: question.command ?? "", version: versionIn(question.stdin) };
    this.steps.push({ label: question.label, call, exitCode, stdout, ...(comparesStderr && { stderr }) });
    for (const problem of this.rules(answer)) this.report(answer, problem);
    return answer;
  }

  /** Runs a script on the host as a step of its own. @throws Error when it fails */
  async change(wished: string, script: string): Promise<void> {
    const label = this.label(wished);
    const stdout = await this.run(script);
    this.steps.push({ label, exitCode: 0, stdout });
  }

  /** Has the state compared as it is now: as the last step's, or as that of a step of its own. */
  async look(label?: string): Promise<void> {
    const state = await this.host.capture();
    const last =
      label === undefined ? this.steps.pop() : { label: this.label(label), exitCode: 0, stdout: "" };
    if (last !== undefined) this.steps.push({ ...last, state });
  }

  /** A rule was broken. */
  note(text: string): void {
    this.problems.push({ text, steps: this.steps.length });
  }

  private report({ question }: Answer, problem: string): void {
    this.note(`${question.label}: ${problem}`);
  }

  /** The call succeeded. */
  accepted(answer: Answer): void {
    if (answer.exitCode !== 0) this.report(answer, `success was due: ${answer}`);
  }

  /** The call ended with an error of this code that says this. */
  refused(answer: Answer, { code, says, details }: Refusal): void {
    const codes = [code].flat();
    if (answer.exitCode === 0) {
      this.report(answer, `an error of code ${codes.join(" or ")} was due: ${answer}`);
      return;
    }
    if (!codes.includes(Number(answer.error.code)))
      this.report(answer, `code ${answer.error.code} instead of ${codes.join(" or ")}`);
    const holds =
      says === undefined ||
      (says instanceof RegExp ? says.test(answer.message) : answer.message.includes(says));
    if (!holds) this.report(answer, `does not say ${says}: ${answer.message}`);
    const { details: given } = answer.error;
    if (details !== undefined && given !== details)
      this.report(answer, `details are ${JSON.stringify(given)} instead of ${JSON.stringify(details)}`);
  }

  /** A call that must succeed. */
  async accepts(...call: Parameters<Bench["call"]>): Promise<Answer> {
    const answer = await this.call(...call);
    this.accepted(answer);
    return answer;
  }

  /** A call that must be refused so. */
  async refuses(refusal: Refusal, ...call: Parameters<Bench["call"]>): Promise<Answer> {
    const answer = await this.call(...call);
    this.refused(answer, refusal);
    return answer;
  }

  /** Anything else that a rule says. */
  is(what: string, actual: unknown, expected: unknown): void {
    if (Bun.deepEquals(actual, expected)) return;
    this.note(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
  }

  holds(what: string, condition: boolean, seen: unknown = ""): void {
    if (!condition) this.note(`${what}${seen === "" ? "" : `: ${JSON.stringify(seen)}`}`);
  }

  /** All that is compared of a state. */
  async state(): Promise<Tree> {
    const state = await this.host.capture();
    const aliases = new Aliases();
    aliases.learn(state);
    return stateTree(state, aliases);
  }

  /** Nothing has changed since then, but for facts whose path matches `mayChange`. */
  async unchanged(what: string, before: Tree, mayChange?: RegExp): Promise<void> {
    for (const { path, reference, ours } of differences(before, await this.state())) {
      const name = describePath(path);
      if (mayChange?.test(name) !== true)
        this.note(`${what}: changed: ${name}: from ${describe(reference)} to ${describe(ours)}`);
    }
  }

  /** Standard output of a shell script on the host. @throws CommandFailed */
  run(script: string): Promise<string> {
    return this.host.run(script);
  }

  container(name: string): Promise<NamedNamespace> {
    return this.host.addNamespace(name);
  }

  /** The links of a container, or of the host, as `ip` lists them, by name. */
  async links(place = HOST): Promise<Map<string, Link>> {
    const printed = await this.run(`nsenter --net=${netnsPath(place)} ip -d -j addr`);
    return new Map((JSON.parse(printed) as Link[]).map((link) => [link.ifname, link]));
  }

  /** Addresses that are leased in the customary network, sorted. */
  leases(): string[] {
    try {
      return readdirSync(LEASES)
        .filter((name) => /^[0-9a-f]+[.:]/.test(name))
        .sort();
    } catch {
      return [];
    }
  }

  /** Writes a program, for example a plugin that plays an IPAM. */
  program(path: string, script: string): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, script);
    chmodSync(path, 0o755);
  }
}
