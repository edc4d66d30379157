/** What docs/runtimes.md tells users to write: tests and suites take it from there. */
import { blocksBelow } from "./blocks.ts";

const PAGE = "docs/runtimes.md";

/** The headings of the runtimes that have a network on the page. */
export const RUNTIMES = ["containerd", "kubeadm", "k3s", "CRI-O", "Nomad", "nerdctl", "Podman"] as const;

export type Runtime = (typeof RUNTIMES)[number];

/** A list of plugins. */
export interface NetworkList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly (Readonly<Record<string, unknown>> & { readonly type: string })[];
}

/** The text of a runtime's network. @throws Error when the page has not exactly one */
export function networkText(runtime: Runtime): string {
  const [text, ...others] = settingsOf(runtime, "json");
  if (text === undefined || others.length > 0)
    throw new Error(`${PAGE} has not one block of JSON for ${runtime}, but ${others.length}`);
  return text;
}

/** A runtime's network. */
export const networkOf = (runtime: Runtime): NetworkList => JSON.parse(networkText(runtime)) as NetworkList;

/** The runtime's own settings, in the order of the page. */
export const settingsOf = (runtime: Runtime, language: string): string[] =>
  blocksBelow(PAGE, runtime).flatMap((block) =>
    block.language === language ? `${block.lines.join("\n")}\n` : [],
  );
