/** CHECK: verifies what ADD made, and only reads (rules F34, F39). */
import { CniError, code } from "../../cni/error.ts";
import { Failures } from "../../cni/failures.ts";
import type { Request } from "../../cni/plugin.ts";
import { isIsolated } from "../../links/port-isolation.ts";
import { check as checkRules } from "../../netfilter/firewall/check.ts";
import { parseFirewallConfig, requirePrevious, wantedFor } from "./config.ts";

export async function check(request: Request): Promise<void> {
  const config = parseFirewallConfig(request);
  const wanted = wantedFor(request, config, requirePrevious(request));
  if (wanted.addresses.length === 0) return;
  const failures = new Failures(request.time);
  const port = await failures.attempt(() => checkRules(config.backend, config.firewalldZone, wanted));
  if (port !== undefined && !isIsolated(port)) {
    failures.add(
      new CniError(
        code.internal,
        `bridge port ${JSON.stringify(port)} is not isolated from the other ports, so that containers of bridge ` +
          `${JSON.stringify(wanted.ingress?.bridge)} may reach it; DEL and ADD the attachment`,
      ),
    );
  }
  failures.throwIfAny();
}
