/** What the reference plugin has iptables do on ADD and DEL, command by command (v1.9.1). */
import { outcomeOf } from "../../support/command.ts";

type Run = (...words: string[]) => Promise<boolean>;

const filter =
  (address: string, variant: string): Run =>
  async (...words) => {
    const program = `${address.includes(":") ? "ip6tables" : "iptables"}${variant}`;
    return (await outcomeOf([program, "-t", "filter", ...words])).exitCode === 0;
  };

const wholeOf = (address: string): string => `${address}/${address.includes(":") ? 128 : 32}`;

const rulesOf = (address: string): string[][] => [
  ["-d", wholeOf(address), "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", "-j", "ACCEPT"],
  ["-s", wholeOf(address), "-j", "ACCEPT"],
];

const comment = (text: string): string[] => ["-m", "comment", "--comment", text];

async function unique(run: Run, action: string, chain: string, ...rule: string[]): Promise<void> {
  if (await run("-C", chain, ...rule)) return;
  if (!(await run(action, chain, ...rule))) throw new Error(`no rule ${rule.join(" ")}`);
}

/** setupChains and addRules; then setupIsolationChains if there is a policy. */
export async function referenceAdd(
  addresses: readonly string[],
  ingress?: { readonly policy: "same-bridge" | "isolated"; readonly bridge: string },
  variant = "",
): Promise<void> {
  for (const address of addresses) {
    const run = filter(address, variant);
    for (const chain of ["CNI-FORWARD", "CNI-ADMIN"]) await run("-N", chain);
    await unique(run, "-I", "FORWARD", ...comment("CNI firewall plugin rules"), "-j", "CNI-FORWARD");
    await unique(
      run,
      "-I",
      "CNI-FORWARD",
      ...comment("CNI firewall plugin admin overrides"),
      "-j",
      "CNI-ADMIN",
    );
    for (const rule of rulesOf(address)) await unique(run, "-A", "CNI-FORWARD", ...rule);
  }
  if (ingress === undefined) return;
  const { policy, bridge } = ingress;
  const any = comment("CNI firewall plugin rules (ingressPolicy: same-bridge|isolated)");
  const own = comment(`CNI firewall plugin rules (ingressPolicy: ${policy})`);
  const [one, two] = ["CNI-ISOLATION-STAGE-1", "CNI-ISOLATION-STAGE-2"] as const;
  for (const address of addresses) {
    const run = filter(address, variant);
    for (const chain of [one, two]) await run("-N", chain);
    await unique(run, "-I", "FORWARD", "-j", one, ...any);
    await unique(run, "-I", one, "-i", bridge, "!", "-o", bridge, "-j", two, ...own);
    if (policy === "isolated") await unique(run, "-I", one, "-i", bridge, "-o", bridge, "-j", "DROP", ...own);
    await unique(run, "-A", one, "-j", "RETURN", ...any);
    await unique(run, "-I", two, "-o", bridge, "-j", "DROP", ...any);
    await unique(run, "-A", two, "-j", "RETURN", ...any);
  }
}

/** delRules: the address's rules only. */
export async function referenceDel(addresses: readonly string[], variant = ""): Promise<void> {
  for (const address of addresses)
    for (const rule of rulesOf(address)) await filter(address, variant)("-D", "CNI-FORWARD", ...rule);
}
