/** `bridgehead ports [NETWORK]`: which ports of the host lead to which containers, and what keeps them from it (rule O9). */
import { describeMapping } from "../netfilter/portmap/published.ts";
import { documentText } from "./document.ts";
import type { ExitCode } from "./exit-codes.ts";
import { hasOption, type Input, type Terminal, textOption } from "./input.ts";
import { unknownNetwork } from "./named.ts";
import { containerEnd, hostEnd, type PortDocument, portDocument, stateText } from "./port-document.ts";
import { type PublishedPort, readPorts } from "./port-list.ts";
import { readShownHost, type ShownHost } from "./shown-host.ts";
import { type Cell, type Colour, type Column, formatTable } from "./table.ts";

/** Lists the ports. */
export async function run(input: Input): Promise<ExitCode> {
  const { terminal } = input;
  const shown = await readShownHost(input, "ports", "read the rules of this host");
  const { host, problems, seen } = shown;
  const { ports: all } = await readPorts(host);
  const only = input.arguments[0] ?? textOption(input, "network");
  if (only !== undefined) requireNetwork(only, all, shown);
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
  { host: { networks, attachments }, notFound }: ShownHost,
): void {
  const names = [
    ...networks.networks.map((network) => network.name),
    ...[...attachments, ...ports].flatMap(({ network }) => network ?? []),
  ];
  if (!names.includes(name)) throw unknownNetwork(name, "an attachment", names, notFound);
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
