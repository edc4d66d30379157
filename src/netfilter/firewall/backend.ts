/** Which backend a call uses (rules F2, F20, F42; docs/decisions/0045-firewall-with-firewalld.md). */
import { CniError, code } from "../../cni/error.ts";
import { formatIp, type IpAddress } from "../../net/ip.ts";
import type { Firewalld } from "../firewalld/firewalld.ts";

export type Backend = "iptables" | "nftables" | "firewalld";

/** Where rules are, and whether addresses are assigned to a zone of firewalld. */
export interface Choice {
  readonly rules: "iptables" | "nftables";
  readonly isZoned: boolean;
}

/**
 * With firewalld, and if it runs and no backend is configured, rules are in nf_tables: its reload removes those of
 * iptables. Addresses are then assigned to a zone too, since firewalld drops what its own tables do not accept.
 */
export async function chosen(backend: Backend | undefined): Promise<Choice> {
  if (backend === "iptables" || backend === "nftables") return { rules: backend, isZoned: false };
  if (backend === "firewalld") return { rules: "nftables", isZoned: true };
  const { isRunning } = await import("../firewalld/firewalld.ts");
  return isRunning() ? { rules: "nftables", isZoned: true } : { rules: "iptables", isZoned: false };
}

/** An address as firewalld has it: 10.1.2.3/32. */
export const sourceOf = (address: IpAddress): string =>
  `${formatIp(address)}/${address.family === 4 ? 32 : 128}`;

/** Opens firewalld. @throws CniError if it does not run */
export async function requireFirewalld(): Promise<Firewalld> {
  const firewalld = (await import("../firewalld/firewalld.ts")).Firewalld.open();
  if (firewalld !== undefined) return firewalld;
  throw new CniError(
    code.internal,
    'cannot use firewalld: it does not run, or is not on the system bus; start firewalld, or set "backend": "iptables"',
  );
}
