/** All cases of this suite. */
import type { ScratchCase } from "../scratch-lanes.ts";
import { CHAIN_CASES } from "./chain.ts";
import { HALF_CASES } from "./half.ts";
import { IDENTITY_CASES } from "./identity.ts";
import { LEASE_CASES } from "./leases.ts";
import { LEFTOVER_CASES } from "./leftovers.ts";
import { REBOOT_CASES } from "./reboot.ts";
import { SWAP_CASES } from "./swap.ts";
import { TUNING_CASES } from "./tuning.ts";

export const CASES: readonly ScratchCase[] = [
  ...SWAP_CASES,
  ...HALF_CASES,
  ...LEASE_CASES,
  ...LEFTOVER_CASES,
  ...REBOOT_CASES,
  ...IDENTITY_CASES,
  ...TUNING_CASES,
  ...CHAIN_CASES,
];
