/**
 * The table of the operator's commands. The parser, help, the shells' completions and the manual are made
 * from it; each row loads its own file.
 */
// Long because: it holds one table.
import type { CommandRow } from "./input.ts";
import { COMMON_OPTIONS, FORMS } from "./options.ts";

/** The commands, in the order of help. */
export const COMMANDS: readonly CommandRow[] = [
  {
    name: "leases",
    summary: "who has which address, and how many are left",
    description: `Lists the leases of host-local, of all networks or of one, and for each range set how many addresses are used
and which one comes next.

An attachment is alive if its network namespace lives, and dead if that is proven to be gone. It is unknown if the lease does
not record its namespace, because the plugin of another project wrote it, and nothing on this host shows that it lives.`,
    arguments: [{ name: "[NETWORK]", description: "only this network" }],
    options: [
      {
        flags: "--state STATE",
        description: "only leases of this state",
        choices: ["alive", "dead", "unknown"],
      },
      ...COMMON_OPTIONS,
      { flags: "--metrics", description: "print the counts as OpenMetrics text", conflicts: ["state"] },
    ],
    changes: false,
    examples: [
      { command: "bridgehead leases", meaning: "all leases of this host" },
      { command: "bridgehead leases mybridge --state dead -q", meaning: "the dead addresses of a network" },
    ],
    load: () => import("./leases.ts"),
  },
  {
    name: "ports",
    summary: "which ports of the host lead to which containers",
    description: `Lists the published ports of all networks, or of one, whichever backend and whichever plugin has made them.

A port leads to its container, unless an earlier rule takes its packets (shadowed), no packet reaches its rule
(unreachable), the container is gone (dead) or its rule is gone (lost). It is taken if a process of the host listens on it
too, which then gets no connections. It is open to all if no address of the host and no condition restricts it.`,
    arguments: [{ name: "[NETWORK]", description: "only this network" }],
    options: COMMON_OPTIONS,
    changes: false,
    examples: [
      { command: "bridgehead ports", meaning: "all ports of this host" },
      { command: "bridgehead ports mybridge --json", meaning: "for programs" },
    ],
    load: () => import("./ports.ts"),
  },
  {
    name: "show",
    summary: "how containers are connected, as a tree",
    description: `Draws each network as a tree: its bridge, the bridge's ports, the namespace behind each with its interface, addresses
and routes, the ports that it publishes, and its rules, also of what other plugins have made.

The argument is a network, a container's id or its beginning, a namespace, an interface of the host, an address, or a port
of the host as in "8080", "8080/udp" or "10.1.2.1:8080". Then only what it names is shown, with the way there.`,
    arguments: [{ name: "[NAME]", description: "what to show (default: all)" }],
    options: [...COMMON_OPTIONS, { flags: "--dot", description: "print a graph for Graphviz" }],
    changes: false,
    examples: [
      { command: "bridgehead show 10.1.2.3", meaning: "who has an address" },
      { command: "bridgehead show --dot | dot -Tsvg >network.svg", meaning: "a picture" },
    ],
    load: () => import("./show.ts"),
  },
  {
    name: "release",
    summary: "free the lease of one container",
    description: `Frees the leases of one container in a network, which is named by its address or its id. The lease of a living
container is refused, with the reason. A copy is kept for a day, which "gc --undo" puts back.`,
    arguments: [
      { name: "NETWORK", description: "the network" },
      { name: "ADDRESS|CONTAINER", description: "the address, or the container's id or its beginning" },
    ],
    options: [
      { flags: "--force", description: "also if the container lives" },
      ...COMMON_OPTIONS.filter(({ flags }) => !flags.startsWith("--network")),
    ],
    changes: true,
    examples: [{ command: "bridgehead release mybridge 10.1.2.3 --yes", meaning: "free one address" }],
    load: () => import("./release.ts"),
  },
  {
    name: "gc",
    summary: "free what dead containers have left",
    description: `Frees the leases, rules, UDP flows and saved settings of containers that are proven dead. With a list of the
living containers, which must be complete, also what is not on it, unless it shows any sign of life. What is only unknown is
never freed without a list.`,
    arguments: [{ name: "[NETWORK]", description: "only this network" }],
    options: [
      {
        flags: "--alive SOURCE",
        description:
          "ids of all living containers: a file, - for standard input, or crictl, podman, nerdctl to ask those",
      },
      { flags: "--none-alive", description: "the list may be empty: no container lives" },
      { flags: "--report FILE", description: "free nothing; write a report of what would be freed" },
      {
        flags: "--from-report FILE",
        description: "free what such a report names, unless it has changed since",
      },
      {
        flags: "--undo",
        description: "put back the leases that the last run freed",
        conflicts: ["alive", "noneAlive", "report", "fromReport"],
      },
      ...COMMON_OPTIONS,
    ],
    changes: true,
    examples: [
      { command: "bridgehead gc", meaning: "show what is proven dead" },
      {
        command: "crictl pods -q --no-trunc | bridgehead gc --alive - --yes",
        meaning: "free what is not listed",
      },
    ],
    load: () => import("./gc.ts"),
  },
  {
    name: "repair",
    summary: "put back rules that another program has removed",
    description: `Puts back what living containers have lost on the host's side, by libcni's cache: rules of bridge, portmap and
firewall, sources of firewalld, forwarding and route_localnet, as after a flush or a reload of a firewall. Links,
namespaces, leases and open connections stay as they are.`,
    arguments: [
      { name: "[NAME]", description: "a network, or a container by its id or namespace (default: all)" },
    ],
    options: COMMON_OPTIONS,
    changes: true,
    examples: [
      { command: "bridgehead repair", meaning: "show what is missing" },
      { command: "bridgehead repair --yes", meaning: "put it back, after a reload of firewalld, say" },
    ],
    load: () => import("./repair.ts"),
  },
  {
    name: "install",
    summary: "install the plugins into a folder",
    description: `Installs this file under the name of each plugin into a folder, also while containers start and stop: each name
always leads to a whole program. What is there is kept in DIR/.bridgehead-before for "uninstall". Afterwards
each plugin is asked for its versions.`,
    arguments: [{ name: "[DIR]", description: "the folder (default: /opt/cni/bin)" }],
    options: [
      {
        flags: "--from-image",
        description: "for an init container: DIR must be a mounted folder of the host",
      },
    ],
    changes: true,
    examples: [
      { command: "bridgehead install --yes", meaning: "install or upgrade" },
      {
        command: "bridgehead install --from-image /host/opt/cni/bin --yes",
        meaning: "from an image, as an init container",
      },
    ],
    load: () => import("./install-command.ts"),
  },
  {
    name: "uninstall",
    summary: "put back the plugins that were there before",
    description: `Gives each name the file back that it had before the first "install", and removes those that had none, also while
containers start and stop. It refuses if another program has replaced a file since. A call that was killed is finished
by the next one.`,
    arguments: [{ name: "[DIR]", description: "the folder (default: /opt/cni/bin)" }],
    options: [],
    changes: true,
    examples: [{ command: "bridgehead uninstall --yes", meaning: "go back to the plugins of before" }],
    load: () => import("./uninstall-command.ts"),
  },
  {
    name: "doctor",
    summary: "look for what is wrong on this host",
    description: `Looks at the host (kernel, forwarding, firewalls, locks), at each network (its configuration, its plugins' STATUS,
free addresses) and at each attachment of libcni's cache (CHECK, addresses, neighbours). Each finding has a code for
"bridgehead explain" and a remedy. It changes nothing. The exit code is 1 if something fails.`,
    arguments: [
      { name: "[NAME]", description: "a network, or a container by its id or namespace (default: all)" },
    ],
    options: COMMON_OPTIONS,
    changes: false,
    examples: [{ command: "bridgehead doctor", meaning: "the host, all networks and attachments" }],
    load: () => import("./doctor.ts"),
  },
  {
    name: "validate",
    summary: "find mistakes in network configurations",
    description: `Judges configurations without touching anything: misspelt keys, values that cannot work, the order of plugins,
missing programs, and networks that clash with each other or with this host. Each finding has its line and column, and
a code for "bridgehead explain". The exit code is 1 if there is an error.`,
    arguments: [{ name: "[FILE...]", description: "files or folders (default: the networks of this host)" }],
    options: [
      { flags: "--strict", description: "warnings count as errors" },
      { flags: "--offline", description: "judge the files alone, not by this host" },
      { flags: "--config-dir DIR", description: "folder of the networks (default: /etc/cni/net.d)" },
      { flags: "--json", description: "print one JSON document", conflicts: FORMS },
      { flags: "-q, --quiet", description: "print only the files with errors or warnings" },
    ],
    changes: false,
    examples: [
      { command: "bridgehead validate", meaning: "all networks of this host" },
      { command: "bridgehead validate --offline new.conflist", meaning: "a file for another host" },
    ],
    load: () => import("./validate.ts"),
  },
  {
    name: "schema",
    summary: "print the JSON schema of configurations",
    description: `Prints a JSON schema (draft 2020-12) with which editors complete and check configurations: of a plugin's
configuration, of an IPAM plugin's section, or of a whole file.`,
    arguments: [{ name: "[TYPE]", description: "a plugin (default: a whole file)" }],
    options: [],
    changes: false,
    examples: [{ command: "bridgehead schema >network.json", meaning: "for the editor's settings" }],
    load: () => import("./schema.ts"),
  },
  {
    name: "explain",
    summary: "explain a finding, a key, or an error of a log",
    description: `Explains the code of a finding, a key of a configuration, or the text of an error, also of the Go plugins: the
cause, how to look at it, what to do, and public issues about it.`,
    arguments: [{ name: "[TEXT...]", description: "a code, a key or a text (default: list all codes)" }],
    options: [{ flags: "--json", description: "print one JSON document" }],
    changes: false,
    examples: [
      { command: "bridgehead explain BH120", meaning: "a finding" },
      { command: "bridgehead explain bridge.ipMasq", meaning: "a key" },
      { command: 'bridgehead explain "no IP addresses available in range set"', meaning: "an error" },
    ],
    load: () => import("./explain.ts"),
  },
  {
    name: "run",
    summary: "call the plugins of a network, as a runtime does",
    description: `Calls the chain of a network as cnitool and runtimes do, and keeps the attachment in libcni's cache, so that each
can go on where another has stopped. A failed ADD is undone. DEL and CHECK take from the cache what ADD got. GC keeps what is
in the cache; no ADD may run meanwhile. The result is printed as JSON, an error as a CNI error object with exit code 1.
CNI_PATH, CNI_ARGS and CAP_ARGS count as for cnitool.`,
    arguments: [
      { name: "COMMAND", description: "the command", choices: ["ADD", "DEL", "CHECK", "GC", "STATUS"] },
      { name: "NETWORK", description: "the network" },
    ],
    options: [
      { flags: "--netns PATH", description: "the container's network namespace" },
      { flags: "--id ID", description: "the container's id (default: cnitool's, made of the path)" },
      { flags: "--ifname NAME", description: "the container's interface (default: eth0)" },
      { flags: "--port PORT", description: "publish a port, as in 8080:80/tcp; repeatable", repeats: true },
      { flags: "--ip ADDRESS", description: "ask for an address; repeatable", repeats: true },
      { flags: "--mac MAC", description: "ask for a MAC address" },
      { flags: "--none-alive", description: "GC: the cache may be empty: no container lives" },
      { flags: "--explain-steps", description: "print each step of the plugins on standard error" },
      { flags: "--plugin-dir DIR", description: "folder of the plugins (default: CNI_PATH, /opt/cni/bin)" },
      { flags: "--config-dir DIR", description: "folder of the networks (default: /etc/cni/net.d)" },
      { flags: "--cache-dir DIR", description: "folder of libcni's cache (default: /var/lib/cni)" },
      { flags: "--yes", description: "is accepted, but not needed: run never asks" },
    ],
    changes: false,
    examples: [
      {
        command: "bridgehead run ADD mynet --netns /run/netns/c1 --port 8080:80/tcp",
        meaning: "attach a namespace",
      },
      { command: "bridgehead run DEL mynet --netns /run/netns/c1", meaning: "detach it again" },
    ],
    load: () => import("./run.ts"),
  },
  {
    name: "completion",
    summary: "print the completion of a shell",
    description: `Prints a script with which a shell completes the words of this command.`,
    arguments: [{ name: "SHELL", description: "the shell", choices: ["bash", "zsh", "fish"] }],
    options: [],
    changes: false,
    examples: [
      {
        command: "bridgehead completion bash > /etc/bash_completion.d/bridgehead",
        meaning: "for all users of bash",
      },
    ],
    load: () => import("./completion.ts"),
  },
  {
    name: "manual",
    summary: "print the manual page",
    description: `Prints the manual page in the form that man reads.`,
    arguments: [],
    options: [],
    changes: false,
    examples: [{ command: "bridgehead manual | man -l -", meaning: "read it" }],
    load: () => import("./manual.ts"),
  },
];
