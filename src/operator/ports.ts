/** `bridgehead ports [NETWORK]`: which ports of the host lead to which containers, and what keeps them from it (rule O9). */
import { describeMapping } from "../netfilter/portmap/published.ts";
import { missingForAttachments } from "../sys/capability.ts";
import { readHost } from "./attachments.ts";
import { documentText } from "./document.ts";
import { CommandError, type ExitCode, exitCode } from "./exit-codes.ts";
import { problemsOf } from "./host-files.ts";
import { hasOption, type Input, type Terminal, textOption } from "./input.ts";
import { containerEnd, hostEnd, type PortDocument, portDocument, stateText } from "./port-document.ts";
import { type PublishedPort, readPorts } from "./port-list.ts";
import { type Cell, type Colour, type Column, formatTable } from "./table.ts";

/** Lists the ports. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const missing = missingForAttachments();
  if (missing !== undefined)
    throw new CommandError(
      exitCode.notPermitted,
      `cannot read the rules of this host: ${missing}; run it as root`,
    );
  // A rule may belong to an attachment of any network.
  const host = await readHost({ options: { ...input.options, network: undefined } });
  const problems = problemsOf(host);
  for (const problem of problems) terminal.stderr(`bridgehead ports: ${problem}\n`);
  // What is shown is right, but may lack what stands in a file that cannot be read.
  const seen = problems.length > 0 ? exitCode.cannotTell : exitCode.fine;
  const { ports: all } = await readPorts(host);
  const only = input.arguments[0] ?? textOption(input, "network");
  if (only !== undefined) requireNetwork(only, all, host, seen);
  const wanted = all.filter(({ network }) => only === undefined || network === only);
  const ports = wanted.map(portDocument);
  if (hasOption(input, "json")) terminal.stdout(documentText({ ports, problems }));
  else if (hasOption(input, "quiet"))
    for (const name of new Set(wanted.map(({ mapping }) => describeMapping(mapping))))
      terminal.stdout(`${name}\n`);
  else terminal.stdout(ports.length === 0 ? "no port is published\n" : portsText(ports, terminal));
  return seen;
}

function requireNetwork(
  name: string,
  ports: readonly PublishedPort[],
  { networks, attachments }: Awaited<ReturnType<typeof readHost>>,
  seen: ExitCode,
): void {
  const names = new Set([
    ...networks.networks.map((network) => network.name),
    ...[...attachments, ...ports].flatMap(({ network }) => network ?? []),
  ]);
  if (names.has(name)) return;
  const known = names.size === 0 ? "there is none" : `there are ${[...names].sort().join(", ")}`;
  throw new CommandError(
    // It may stand in a file that cannot be read.
    seen === exitCode.cannotTell ? seen : exitCode.problems,
    `cannot find network ${JSON.stringify(name)}: neither a configuration nor an attachment has that name; ${known}`,
  );
}

const COLUMNS: readonly Column[] = [
  { title: "HOST", least: 14 },
  { title: "PROTO" },
  { title: "CONTAINER", least: 9 },
  { title: "TO", least: 13 },
  { title: "NETWORK", least: 7 },
  { title: "BACKEND", least: 8 },
  { title: "STATE", least: 32 },
];

const COLOURS: Readonly<Record<PublishedPort["state"], Colour>> = {
  leads: "good",
  taken: "warning",
  contested: "warning",
  shadowed: "bad",
  unreachable: "bad",
  dead: "bad",
  lost: "bad",
};

const portsText = (ports: readonly PortDocument[], terminal: Terminal): string =>
  formatTable(
    COLUMNS,
    ports.map((port): Cell[] => [
      hostEnd(port),
      port.protocol,
      port.containerID ?? "-",
      containerEnd(port),
      port.network ?? "-",
      port.backend ?? "-",
      { text: stateText(port), colour: COLOURS[port.state] },
    ]),
    terminal,
  );
