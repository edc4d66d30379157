/** The list of the living containers, which is complete by the caller's word (rule O11): a file, or a runtime's own tool. */
import { MOST_OUTPUT, runProgram, StoppedError } from "../sys/child.ts";
import { readToEnd } from "../sys/descriptor.ts";
import { SystemError } from "../sys/errno.ts";
import { O, withFile } from "../sys/file.ts";
import { programIn } from "../sys/program.ts";
import { NotStartedError } from "../sys/start-failure.ts";
import { CommandError, exitCode } from "./exit-codes.ts";
import { isDocument } from "./networks.ts";
import { step } from "./progress.ts";

/** Milliseconds that a runtime's tool may take. */
const MOST_TIME = 60_000;

/** The containers that live. */
export class LivingList {
  /** As the list has them: whole ids, or the short ones that tools print. */
  readonly ids: readonly string[];
  private readonly whole: ReadonlySet<string>;

  constructor(ids: readonly string[]) {
    this.ids = ids;
    this.whole = new Set(ids);
  }

  /**
   * Whether a container is on the list. A short id stands for all that begin with it, and an id without nerdctl's namespace
   * for those in any: when in doubt, a container lives.
   */
  has(containerId: string): boolean {
    return (
      this.whole.has(containerId) ||
      this.ids.some((id) => containerId.startsWith(id) || containerId.endsWith(`-${id}`))
    );
  }
}

/** Reads the list that `--alive` names. @throws CommandError: 4 if it cannot be read, 2 if it is none */
export function readLivingList(source: string, environment: Variables): LivingList {
  switch (source) {
    case "crictl":
      return new LivingList(crictlPods(environment));
    case "podman":
      return new LivingList(podmanContainers(environment));
    case "nerdctl":
      return new LivingList(nerdctlContainers(environment));
    default:
      return new LivingList(idsOf(source));
  }
}

type Variables = Readonly<Record<string, string | undefined>>;

/** The ids of a text: one in each line. */
function idsOf(source: string): string[] {
  const name = source === "-" ? "standard input" : JSON.stringify(source);
  let text: string;
  try {
    text =
      source === "-"
        ? new TextDecoder().decode(readToEnd(0, MOST_OUTPUT))
        : withFile(source, O.RDONLY, 0, (fd) => new TextDecoder().decode(readToEnd(fd, MOST_OUTPUT)));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw cannotTell(`cannot read the list of living containers from ${name}: ${error.message}`);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const ids = lines.filter((line) => line !== "");
  const wrong = ids.find((id) => !/^[A-Za-z0-9][\w.-]*$/.test(id));
  if (wrong === undefined) return ids;
  throw new CommandError(
    exitCode.wrongUse,
    `cannot use the list of living containers from ${name}: ${JSON.stringify(wrong)} is not a container id; give one whole id in each line, and no headings`,
  );
}

/** All sandboxes that the runtime knows, ready or not: the kubelet has to remove those that are not. */
function crictlPods(environment: Variables): string[] {
  const document = parsed("crictl", output("crictl", ["pods", "-o", "json"], environment));
  const items = isDocument(document) ? document.items : undefined;
  return listOf("crictl", items).map((item) => idOf("crictl", item.id));
}

/** Containers that have not ended: one that is only being made may have its network already. */
function podmanContainers(environment: Variables): string[] {
  const document = parsed("podman", output("podman", ["ps", "--all", "--format", "json"], environment));
  return listOf("podman", document)
    .filter(({ State: state }) => state !== "exited" && state !== "stopped" && state !== "dead")
    .map((item) => idOf("podman", item.Id));
}

/** The same of all namespaces: nerdctl's networks know a container as NAMESPACE-ID. */
function nerdctlContainers(environment: Variables): string[] {
  const namespaces = output("nerdctl", ["namespace", "ls", "--quiet"], environment)
    .split("\n")
    .filter(Boolean);
  return namespaces.flatMap((namespace) => {
    const words = ["--namespace", namespace, "ps", "--all", "--no-trunc", "--format", "{{json .}}"];
    const lines = output("nerdctl", words, environment).split("\n").filter(Boolean);
    const items = listOf(
      "nerdctl",
      lines.map((line) => parsed("nerdctl", line)),
    );
    return items
      .filter(({ Status: text }) => !(typeof text === "string" && text.startsWith("Exited")))
      .map((item) => `${namespace}-${idOf("nerdctl", item.ID)}`);
  });
}

function output(tool: string, words: readonly string[], environment: Variables): string {
  const path = pathOf(tool, environment.PATH ?? "");
  step(`asking ${tool} for the living containers`);
  try {
    const {
      exitCode: code,
      signal,
      stdout,
      stderr,
    } = runProgram({ path, arguments: words, most: MOST_TIME });
    if (code === 0) return new TextDecoder().decode(stdout);
    const said = new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "";
    throw cannotTell(
      `cannot ask ${tool} for the living containers: "${[tool, ...words].join(" ")}" ended with ${signal ?? `exit code ${code}`}${said === "" ? "" : `: ${said}`}`,
    );
  } catch (error) {
    if (!(error instanceof NotStartedError || error instanceof StoppedError)) throw error;
    throw cannotTell(`cannot ask ${tool} for the living containers: ${error.message}`);
  }
}

/** The first program of that name on PATH. */
function pathOf(tool: string, folders: string): string {
  const path = programIn(folders, tool);
  if (path !== undefined) return path;
  throw cannotTell(
    `cannot ask ${tool} for the living containers: there is no program of that name on PATH (${folders}); install it, or give the list as a file`,
  );
}

function parsed(tool: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError)
      throw cannotTell(`cannot understand the answer of ${tool}: it is not JSON`);
    throw error;
  }
}

function listOf(tool: string, value: unknown): Readonly<Record<string, unknown>>[] {
  // An empty list of Go is null.
  const list = value ?? [];
  if (Array.isArray(list) && list.every(isDocument)) return list;
  throw cannotTell(`cannot understand the answer of ${tool}: it is not a list of containers`);
}

function idOf(tool: string, id: unknown): string {
  if (typeof id === "string" && id !== "") return id;
  throw cannotTell(`cannot understand the answer of ${tool}: a container has no id`);
}

const cannotTell = (message: string): CommandError =>
  new CommandError(exitCode.cannotTell, `${message}; nothing was changed`);
