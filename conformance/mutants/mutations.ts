/** Ways to break the built programs on purpose: shell scripts that stand before them. */

export const PLUGINS = ["bridge", "host-local", "loopback"] as const;

export interface Mutation {
  readonly name: string;
  readonly plugins: readonly (typeof PLUGINS)[number][];
  /** CNI_COMMANDs; every other call goes to the real program. */
  readonly commands: readonly string[];
  /** What happens instead; `"$real"` is the real program, `$folder` the folder that it is in. */
  readonly script: string;
  /** Cases of the suite spec that must see it. */
  readonly cases: string;
}

/** Changes what is printed, and keeps the exit code. */
const printing = (filter: string): string => `printed=$("$real"); end=$?
[ -z "$printed" ] || printf '%s\\n' "$printed" | ${filter}
exit $end`;

type Row = readonly [
  name: string,
  plugins: Mutation["plugins"],
  /** Divided by blanks. */
  commands: string,
  cases: string,
  script: string,
];

const ROWS: readonly Row[] = [
  [
    "wrong-version",
    ["bridge"],
    "ADD",
    "A21",
    printing(`sed 's/"cniVersion": "[0-9.]*"/"cniVersion": "0.3.2"/'`),
  ],
  ["sandbox-missing", ["bridge"], "ADD", "A22", printing(`sed -z 's/,[[:space:]]*"sandbox": "[^"]*"//g'`)],
  [
    "mac-missing",
    ["bridge"],
    "ADD",
    "A21",
    printing(`sed -z 's/,[[:space:]]*"mac": "[^"]*"//g; s/"mac": "[^"]*",[[:space:]]*//g'`),
  ],
  [
    "interface-index-missing",
    ["bridge"],
    "ADD",
    "A21",
    printing(`sed -z 's/,[[:space:]]*"interface": [0-9]*//g; s/"interface": [0-9]*,[[:space:]]*//g'`),
  ],
  ["exit-0-on-error", PLUGINS, "ADD CHECK DEL GC STATUS", "A16", '"$real"; exit 0'],
  ["result-on-stderr", ["bridge"], "ADD", "A16", 'exec "$real" >&2'],
  ["error-code-changed", PLUGINS, "ADD", "A18", printing(`sed 's/"code": [0-9]*/"code": 100/'`)],
  ["prevresult-lost", ["bridge", "loopback"], "ADD", "A27", `sed 's/"prevResult"/"lostResult"/' | "$real"`],
  ["version-list-short", PLUGINS, "VERSION", "A19", printing(`sed 's/,"1.1.0"]/]/'`)],
  ["lease-not-released", ["host-local"], "DEL", "A29", "cat > /dev/null"],
  [
    "masquerade-left",
    ["bridge"],
    "DEL",
    "A31",
    `"$folder/host-local" > /dev/null
[ -z "$CNI_NETNS" ] || nsenter --net="$CNI_NETNS" ip link del "$CNI_IFNAME" 2> /dev/null
exit 0`,
  ],
  ["check-blind", PLUGINS, "CHECK", "A33", "cat > /dev/null"],
  ["status-blind", PLUGINS, "STATUS", "A35", "cat > /dev/null"],
  ["log-on-stdout", ["bridge"], "DEL", "A20", 'echo "removed"; exec "$real"'],
  ["version-reads-stdin", ["loopback"], "VERSION", "A7", 'cat > /dev/null; exec "$real"'],
  // The IPAM is called by a script that keeps DEL from it.
  [
    "delegate-not-undone",
    ["bridge"],
    "ADD",
    "A45",
    `hidden=$(mktemp -d)
IFS=:
for place in $CNI_PATH; do
  for program in "$place"/*; do
    target="$hidden/\${program##*/}"
    [ ! -f "$program" ] || [ -e "$target" ] || {
      printf '#!/bin/sh\\n[ "$CNI_COMMAND" != DEL ] || exit 0\\nexec "%s"\\n' "$program" > "$target"
      chmod +x "$target"
    }
  done
done
CNI_PATH=$hidden "$real"; end=$?
rm -rf "$hidden"
exit $end`,
  ],
];

export const MUTATIONS: readonly Mutation[] = ROWS.map(([name, plugins, commands, cases, script]) => ({
  name,
  plugins,
  commands: commands.split(" "),
  cases,
  script,
}));

/** The script that stands before a plugin's real program. */
export function wrapper(real: string, plugin: string, { plugins, commands, script }: Mutation): string {
  const isBroken = plugins.some((name) => name === plugin);
  const instead = `case "$CNI_COMMAND" in
${commands.join("|")})
${script}
exit $?
;;
esac
`;
  return `#!/bin/sh
real=${real}/${plugin}
folder=${real}
PATH=\${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}
${isBroken ? instead : ""}exec "$real"
`;
}
