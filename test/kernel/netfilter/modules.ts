/** What plugins call of masquerade/ and spoof-check/, each as one object. */
import * as checkMasquerade from "../../../src/netfilter/masquerade/check.ts";
import * as listMasquerade from "../../../src/netfilter/masquerade/list.ts";
import * as problem from "../../../src/netfilter/masquerade/problem.ts";
import * as setUpMasquerade from "../../../src/netfilter/masquerade/set-up.ts";
import * as tearDownMasquerade from "../../../src/netfilter/masquerade/tear-down.ts";
import * as usable from "../../../src/netfilter/masquerade/usable.ts";
import * as checkSpoof from "../../../src/netfilter/spoof-check/check.ts";
import * as listSpoof from "../../../src/netfilter/spoof-check/list.ts";
import * as setUpSpoof from "../../../src/netfilter/spoof-check/set-up.ts";
import * as tearDownSpoof from "../../../src/netfilter/spoof-check/tear-down.ts";

export const masquerade = {
  ...setUpMasquerade,
  ...checkMasquerade,
  ...tearDownMasquerade,
  ...listMasquerade,
  ...usable,
  ...problem,
};
export const spoofCheck = { ...setUpSpoof, ...checkSpoof, ...tearDownSpoof, ...listSpoof };
