/** What `bridgehead install` says of the kernel of this host (docs/platform.md). */
import { CniError } from "../cni/error.ts";
import { openNftables } from "../netfilter/kernel.ts";
import { readText } from "../sys/file.ts";
import { sysctlIfThere } from "../sys/sysctl.ts";

/** The remedy for a system call that the kernel does not have. */
export const tooOld = (): string =>
  `this kernel is Linux ${readText("/proc/sys/kernel/osrelease").trim()}, and 4.11 or later is needed`;

/** What the kernel lacks that only some networks need, in whole sentences. What may not be looked at is left out. */
export function missingHere(): string[] {
  const notes: string[] = [];
  if (!hasNftables())
    notes.push(
      "this kernel has no nf_tables: rules of ipMasq, portmap and firewall need the programs of iptables-legacy, and macspoofchk fails",
    );
  if (sysctlIfThere("net", "bridge", "bridge-nf-call-iptables") !== "1")
    notes.push(
      "packets between containers of one bridge pass no rule of iptables: services of Kubernetes need br_netfilter for that",
    );
  return notes;
}

/** Whether there is nf_tables, or this process may not ask. */
function hasNftables(): boolean {
  try {
    using netfilter = openNftables();
    return netfilter !== undefined;
  } catch (error) {
    if (error instanceof CniError) return true;
    throw error;
  }
}
