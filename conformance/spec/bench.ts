/** What a case has in hand: calls, and the means to judge what came of them. */
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Outcome } from "../../test/support/command.ts";
import { type Tree, treeOf } from "../parity/tree.ts";
import { Answer, type Question } from "./answer.ts";
import { FILES, type JsonRecord, netnsPath, PLUGIN_PATH, type PluginName } from "./case.ts";
import { type Environment, HOST, type Host } from "./host.ts";
import type { Problem } from "./observation.ts";
import { protocolProblems } from "./protocol.ts";
import type { State } from "./state.ts";

export interface CallOptions {
  /** bridge when left out. */
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
  /** Words in front of the program, as in `setpriv …`. */
  readonly through?: readonly string[];
  /** Milliseconds until the plugin is killed. */
  readonly limit?: number;
  /** Its result becomes the configuration's prevResult. */
  readonly after?: Answer;
}

/** How standard input is connected: it may give nothing for ever, or be unreadable. */
export type Input = "silent" | "terminal" | "closed" | "folder" | "write-only";

export interface Refusal {
  readonly code: number | readonly number[];
  /** What the message and the details hold. */
  readonly says?: RegExp | string;
  /** The details exactly. */
  readonly details?: string;
}

export class Bench {
  readonly host: Host;
  readonly facts: Record<string, Tree> = {};
  readonly problems: Problem[] = [];

  #calls = 0;

  constructor(host: Host) {
    this.host = host;
  }

  /** Calls a plugin. What every call must keep to is judged here already. */
  async call(
    command: string | undefined,
    config: JsonRecord | string,
    options: CallOptions = {},
  ): Promise<Answer> {
    const { question, environment, program } = this.#prepare(command, config, options);
    return this.#answer(
      question,
      await this.host.call([...(options.through ?? []), program], environment, question.stdin, options.limit),
    );
  }

  /** The same with another kind of standard input. */
  async callWith(input: Input, command: string | undefined, options: CallOptions = {}): Promise<Answer> {
    const { question, environment, program } = this.#prepare(command, "", options);
    const run = (script: string) => this.host.call(["/bin/sh", "-c", script, "sh", program], environment, "");
    switch (input) {
      case "silent":
        return this.#answer(question, await this.host.callSilent([program], environment));
      case "closed":
        return this.#answer(question, await run('exec "$1" <&-'));
      case "write-only":
        return this.#answer(question, await run('exec "$1" 0> /dev/null'));
      case "folder":
        return this.#answer(question, await run('exec "$1" < /run'));
      case "terminal": {
        // script(1) has the terminal for both directions, so what the plugin prints goes to files.
        const inner = `${program} >${FILES}/out 2>${FILES}/err`;
        const words = ["script", "-q", "-e", "-c", inner, "/dev/null"];
        const { exitCode, command: text } = await this.host.callSilent(words, environment);
        const read = (name: string) => Bun.file(join(FILES, name)).text();
        const outcome = { command: text, exitCode, stdout: await read("out"), stderr: await read("err") };
        return this.#answer(question, outcome);
      }
    }
  }

  #prepare(command: string | undefined, config: JsonRecord | string, options: CallOptions) {
    const { plugin = "bridge", container = "c1", id = `id-${container}`, ifname = "eth0", after } = options;
    const previous = after?.document === undefined ? {} : { prevResult: after.document };
    const stdin = typeof config === "string" ? config : JSON.stringify({ ...config, ...previous });
    const environment: Environment = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: id,
      CNI_NETNS: netnsPath(container),
      CNI_IFNAME: ifname,
      CNI_PATH: PLUGIN_PATH,
      ...options.env,
    };
    const wished = options.label ?? `${plugin} ${command || "without command"}`;
    let label = wished;
    for (let number = 2; Object.hasOwn(this.facts, label); number++) label = `${wished} #${number}`;
    this.facts[label] = {};
    const question: Question = {
      label,
      plugin,
      command,
      stdin,
      netns: environment.CNI_NETNS ?? "",
      ifname: environment.CNI_IFNAME ?? "",
    };
    return { question, environment, program: join(PLUGIN_PATH, plugin) };
  }

  #answer(question: Question, outcome: Outcome): Answer {
    const answer = new Answer(question, outcome);
    this.facts[question.label] = factsOf(answer);
    this.#calls += 1;
    for (const problem of protocolProblems(answer)) this.#report(answer, problem);
    return answer;
  }

  /** A rule was broken. */
  note(text: string): void {
    this.problems.push({ text, calls: this.#calls });
  }

  #report({ question }: Answer, problem: string): void {
    this.note(`${question.label}: ${problem}`);
  }

  /** The call succeeded. */
  accepted(answer: Answer): void {
    if (answer.exitCode !== 0) this.#report(answer, `success was due: ${answer}`);
  }

  /** The call ended with an error of this code that says this. */
  refused(answer: Answer, { code, says, details }: Refusal): void {
    const codes = [code].flat();
    if (answer.exitCode === 0)
      this.#report(answer, `an error of code ${codes.join(" or ")} was due: ${answer}`);
    else if (!codes.includes(Number(answer.error.code)))
      this.#report(answer, `code ${answer.error.code} instead of ${codes.join(" or ")}`);
    if (answer.exitCode === 0) return;
    const holds =
      says === undefined ||
      (says instanceof RegExp ? says.test(answer.message) : answer.message.includes(says));
    if (!holds) this.#report(answer, `does not say ${says}: ${answer.message}`);
    if (details !== undefined && answer.error.details !== details)
      this.#report(
        answer,
        `details are ${JSON.stringify(answer.error.details)} instead of ${JSON.stringify(details)}`,
      );
  }

  /** Anything else that a rule says. */
  is(what: string, actual: unknown, expected: unknown): void {
    if (Bun.deepEquals(actual, expected)) return;
    this.note(`${what}: ${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`);
  }

  holds(what: string, condition: boolean, seen: unknown = ""): void {
    if (!condition) this.note(`${what}${seen === "" ? "" : `: ${JSON.stringify(seen)}`}`);
  }

  state(): Promise<State> {
    return this.host.state();
  }

  /** Nothing has changed since then. */
  async unchanged(what: string, before: State): Promise<void> {
    for (const line of changes(before, await this.state())) this.note(`${what}: changed: ${line}`);
  }

  /** Standard output of a shell script on the host. @throws CommandFailed */
  run(script: string): Promise<string> {
    return this.host.run(script);
  }

  /** The links of a container, or of the host, as `ip` lists them, by name. */
  async links(place = HOST): Promise<Map<string, Link>> {
    const printed = await this.run(`nsenter --net=${netnsPath(place)} ip -d -j addr`);
    return new Map((JSON.parse(printed) as Link[]).map((link) => [link.ifname, link]));
  }

  /** Addresses of leases in host-local's folder, sorted. */
  async leases(of = "spec"): Promise<string[]> {
    const printed = await this.run(`ls /var/lib/cni/networks/${of} 2>/dev/null || true`);
    return printed.split("\n").filter((name) => /^[0-9a-f]+[.:]/.test(name));
  }

  /** Writes a program, for example a plugin that plays an IPAM. */
  program(path: string, script: string): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, script);
    chmodSync(path, 0o755);
  }
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

/** Lines that came, with "+", and lines that went, with "-". */
export const changes = (before: State, after: State): string[] => [
  ...after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
  ...before.filter((line) => !after.includes(line)).map((line) => `- ${line}`),
];

/** What the two sides are compared by. */
function factsOf(answer: Answer): Tree {
  const { exitCode, stdout, document, error } = answer;
  if (document === undefined) return { exit: exitCode, ...(stdout === "" ? {} : { stdout }) };
  if (exitCode === 0) return { exit: exitCode, result: treeOf(document) };
  return { exit: exitCode, code: treeOf(error.code ?? null), message: answer.message };
}
