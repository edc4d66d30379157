/** `bridgehead show [NETWORK|CONTAINER|LINK|ADDRESS|PORT]`: how containers are connected, as a tree (rule O9). */
import { missingForAttachments } from "../sys/capability.ts";
import { documentText } from "./document.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import { hasOption, type Input, textOption } from "./input.ts";
import { dotOf } from "./show/dot.ts";
import { drawTree, networkBranch } from "./show/draw.ts";
import { find, idsIn } from "./show/find.ts";
import type { NetworkNode } from "./show/nodes.ts";
import { readTopology } from "./show/read-topology.ts";
import { printable } from "./table.ts";

/** Shows all, or what the argument names. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const missing = missingForAttachments();
  if (missing !== undefined)
    throw new CommandError(exitCode.notPermitted, `cannot look into namespaces: ${missing}; run it as root`);
  const { nodes: all, problems } = await readTopology(input);
  for (const problem of problems) terminal.stderr(`bridgehead show: ${problem}\n`);
  // What is shown is right, but may lack what stands in a file that cannot be read.
  const seen = problems.length > 0 ? exitCode.cannotTell : exitCode.fine;
  const only = textOption(input, "network");
  const ofNetwork = only === undefined ? all : all.filter(({ network }) => network === only);
  if (only !== undefined && ofNetwork.length === 0) throw nothing(only, "network", seen);
  const [wanted] = input.arguments;
  const nodes = wanted === undefined ? ofNetwork : chosen(ofNetwork, wanted, seen);
  if (hasOption(input, "json")) terminal.stdout(documentText({ networks: nodes, problems }));
  else if (hasOption(input, "dot")) terminal.stdout(dotOf(nodes));
  else if (hasOption(input, "quiet")) for (const id of idsIn(nodes)) terminal.stdout(`${printable(id)}\n`);
  else
    terminal.stdout(
      nodes.length === 0 ? "this host has no network\n" : drawTree(nodes.map(networkBranch), terminal),
    );
  return seen;
}

/** @throws CommandError if the text names nothing, or several containers */
function chosen(nodes: readonly NetworkNode[], text: string, seen: ExitCode): readonly NetworkNode[] {
  const found = find(nodes, text);
  if (found === undefined)
    throw nothing(text, "network, container, interface, address or published port", seen);
  if (!found.every((each) => typeof each === "string")) return found as NetworkNode[];
  throw new CommandError(
    exitCode.wrongUse,
    `cannot choose by ${JSON.stringify(text)}: several containers begin so (${found.join(", ")}); give more of the id`,
  );
}

/** What is not found may stand in a file that cannot be read. */
const nothing = (text: string, kind: string, seen: ExitCode): CommandError =>
  new CommandError(
    seen === exitCode.cannotTell ? seen : exitCode.problems,
    `cannot find ${JSON.stringify(text)}: no ${kind} of this host is called so; see "bridgehead show"`,
  );
