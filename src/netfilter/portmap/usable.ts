/** Verifies for STATUS that ports can be published on this host (M40). It has the kernel check a transaction and abort it. */
import { CniError, code, toCniError } from "../../cni/error.ts";
import { rehearse } from "../../netlink/nftables/batch.ts";
import { type Backend, hostTable } from "../iptables/host.ts";
import { requestsFor } from "../iptables/nft-changes.ts";
import { NO_NFTABLES, openNftables, permissionRemedy } from "../kernel.ts";
import { IPTABLES_POSTROUTING } from "../nftables/base-chains.ts";
import { backendOf } from "./backend.ts";
import { planSetUp } from "./iptables-plan.ts";
import { readNft } from "./iptables-state.ts";
import { readState, setUpRequests } from "./nftables.ts";
import type { Published } from "./published.ts";

const EXAMPLE: Published = {
  network: "",
  containerId: "",
  ifname: "",
  // Port 0 is never used, so no rule of a container is like this one.
  mappings: [{ protocol: "tcp", hostPort: 0, containerPort: 0 }],
  addresses: { 4: { address: { family: 4, value: 1n }, length: 8 } },
  snat: true,
  masqAll: false,
  markBit: 13,
  conditions: {},
  record: "",
};

/** @throws CniError code 50 with the remedy */
export async function requireUsable(
  backend: Backend | undefined,
  externalSetMarkChain: string | undefined,
): Promise<void> {
  using netfilter = openNftables();
  const choice = await backendOf(backend, netfilter);
  const unusable = (problem: string): CniError =>
    new CniError(code.notAvailable, `cannot publish ports with ${choice}: ${problem}`);
  const place = choice === "iptables" ? await hostTable(netfilter, 4) : { connection: netfilter };
  if (place === undefined)
    throw unusable(
      'there is no program iptables-restore in the system\'s folders or on PATH; install iptables, or set "backend": "nftables"',
    );
  const { connection } = place;
  // Of iptables-legacy only its program is looked for: reading its table would create it.
  if (connection === undefined && choice === "iptables") return;
  if (connection === undefined) throw unusable(`${NO_NFTABLES}; load the kernel module nf_tables`);
  const example = { ...EXAMPLE, externalSetMarkChain };
  try {
    if (choice === "nftables")
      rehearse(connection, setUpRequests(example, 4, readState(connection, 4, example), undefined));
    else {
      const state = readNft(connection, 4, example);
      if (!state.hasExternalChain) throw new Error(`chain ${externalSetMarkChain} is not in table nat`);
      const { changes } = planSetUp(state, example, 4, false);
      rehearse(connection, requestsFor(IPTABLES_POSTROUTING[4], changes, state.missing));
    }
  } catch (error) {
    throw unusable(problemOf(choice, error));
  }
}

/** The kernel's refusal, with the remedy. */
export function problemOf(backend: Backend, error: unknown): string {
  const modules =
    backend === "iptables"
      ? "nft_compat, nft_chain_nat, xt_addrtype, xt_comment, xt_mark, xt_multiport, xt_nat, xt_tcpudp and xt_MASQUERADE"
      : "nf_tables, nft_chain_nat, nft_fib_ipv4, nft_fib_ipv6, nft_masq and nft_nat";
  return `${toCniError(error).message}; ${permissionRemedy(error) ?? `load the kernel modules ${modules}`}`;
}
