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

export const MUTATIONS: readonly Mutation[] = [
  {
    name: "wrong-version",
    plugins: ["bridge"],
    commands: ["ADD"],
    script: printing(`sed 's/"cniVersion": "[0-9.]*"/"cniVersion": "0.3.2"/'`),
    cases: "A21",
  },
  {
    name: "sandbox-missing",
    plugins: ["bridge"],
    commands: ["ADD"],
    script: printing(`sed -z 's/,[[:space:]]*"sandbox": "[^"]*"//g'`),
    cases: "A22",
  },
  {
    name: "mac-missing",
    plugins: ["bridge"],
    commands: ["ADD"],
    script: printing(`sed -z 's/,[[:space:]]*"mac": "[^"]*"//g; s/"mac": "[^"]*",[[:space:]]*//g'`),
    cases: "A21",
  },
  {
    name: "interface-index-missing",
    plugins: ["bridge"],
    commands: ["ADD"],
    script: printing(`sed -z 's/,[[:space:]]*"interface": [0-9]*//g; s/"interface": [0-9]*,[[:space:]]*//g'`),
    cases: "A21",
  },
  {
    name: "exit-0-on-error",
    plugins: PLUGINS,
    commands: ["ADD", "CHECK", "DEL", "GC", "STATUS"],
    script: '"$real"; exit 0',
    cases: "A16",
  },
  {
    name: "result-on-stderr",
    plugins: ["bridge"],
    commands: ["ADD"],
    script: 'exec "$real" >&2',
    cases: "A16",
  },
  {
    name: "error-code-changed",
    plugins: PLUGINS,
    commands: ["ADD"],
    script: printing(`sed 's/"code": [0-9]*/"code": 100/'`),
    cases: "A18",
  },
  {
    name: "prevresult-lost",
    plugins: ["bridge", "loopback"],
    commands: ["ADD"],
    script: `sed 's/"prevResult"/"lostResult"/' | "$real"`,
    cases: "A27",
  },
  {
    name: "version-list-short",
    plugins: PLUGINS,
    commands: ["VERSION"],
    script: printing(`sed 's/,"1.1.0"]/]/'`),
    cases: "A19",
  },
  {
    name: "lease-not-released",
    plugins: ["host-local"],
    commands: ["DEL"],
    script: "cat > /dev/null",
    cases: "A29",
  },
  {
    name: "masquerade-left",
    plugins: ["bridge"],
    commands: ["DEL"],
    script: `"$folder/host-local" > /dev/null
[ -z "$CNI_NETNS" ] || nsenter --net="$CNI_NETNS" ip link del "$CNI_IFNAME" 2> /dev/null
exit 0`,
    cases: "A31",
  },
  { name: "check-blind", plugins: PLUGINS, commands: ["CHECK"], script: "cat > /dev/null", cases: "A33" },
  { name: "status-blind", plugins: PLUGINS, commands: ["STATUS"], script: "cat > /dev/null", cases: "A35" },
  {
    name: "log-on-stdout",
    plugins: ["bridge"],
    commands: ["DEL"],
    script: 'echo "removed"; exec "$real"',
    cases: "A20",
  },
  {
    name: "version-reads-stdin",
    plugins: ["loopback"],
    commands: ["VERSION"],
    script: 'cat > /dev/null; exec "$real"',
    cases: "A7",
  },
  {
    name: "delegate-not-undone",
    plugins: ["bridge"],
    commands: ["ADD"],
    // The IPAM is called by a script that keeps DEL from it.
    script: `hidden=$(mktemp -d)
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
    cases: "A45",
  },
];

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
