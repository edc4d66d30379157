/** `bridgehead show [NETWORK|CONTAINER|LINK|ADDRESS|PORT]`: how containers are connected, as a tree (rule O9). */
import { documentText } from "./document.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import { hasOption, type Input, textOption } from "./input.ts";
import { dotOf } from "./show/dot.ts";
import { drawTree, networkBranch } from "./show/draw.ts";
import { find, idsIn } from "./show/find.ts";
import type { NetworkNode } from "./show/nodes.ts";
import { readTopology } from "./show/read-topology.ts";
import { readShownHost } from "./shown-host.ts";
import { printable } from "./table.ts";

/** Shows all, or what the argument names. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const { host, problems, seen, notFound } = await readShownHost(input, "show", "look into namespaces");
  const all = await readTopology(host);
  const only = textOption(input, "network");
  const ofNetwork = only === undefined ? all : all.filter(({ network }) => network === only);
  if (only !== undefined && ofNetwork.length === 0) throw nothing(only, "network", notFound);
  const [wanted] = input.arguments;
  const nodes = wanted === undefined ? ofNetwork : chosen(ofNetwork, wanted, notFound);
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
function chosen(nodes: readonly NetworkNode[], text: string, notFound: ExitCode): readonly NetworkNode[] {
  const found = find(nodes, text);
  if (found === undefined)
    throw nothing(text, "network, container, interface, address or published port", notFound);
  if (!found.every((each) => typeof each === "string")) return found as NetworkNode[];
  throw new CommandError(
    exitCode.wrongUse,
    `cannot choose by ${JSON.stringify(text)}: several containers begin so (${found.join(", ")}); give more of the id`,
  );
}

const nothing = (text: string, kind: string, notFound: ExitCode): CommandError =>
  new CommandError(
    notFound,
    `cannot find ${JSON.stringify(text)}: no ${kind} of this host is called so; see "bridgehead show"`,
  );
