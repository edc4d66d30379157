/** STATUS: what keeps containers from being reached is named, with its remedy (F31). */
import { describe, expect } from "bun:test";
import type { ScratchHost } from "../../support/scratch-host.ts";
import type { ErrorDocument } from "../bridge/network.ts";
import { container, firewallTest, hostCall } from "./network.ts";

/** How STATUS ends. */
async function status(host: ScratchHost, keys: object = {}) {
  const { exitCode, stdout, stderr } = await hostCall(host, "STATUS", keys);
  const { code, msg } = stdout === "" ? { code: 0, msg: "" } : (JSON.parse(stdout) as ErrorDocument);
  return { exitCode, stderr, code, msg };
}

firewallTest.each(["iptables", "nftables", undefined])(
  "F31: backend %p works here, and STATUS changes nothing",
  async (host, backend) => {
    const one = await container(host, "c1");
    await host.unchangedBy(async () => {
      expect(await status(host, { backend })).toMatchObject({ exitCode: 0, code: 0 });
    });
    await one.attachment.del();
  },
);

describe("F31: a chain of another program that drops forwarded packets", () => {
  const CHAIN = "add chain inet filter forward { type filter hook forward priority 10; policy drop; }";
  firewallTest.each([
    ["without rules", `${CHAIN}`],
    ["with answers only", `${CHAIN}; add rule inet filter forward ct state established,related accept`],
  ])("%s", async (host, _, commands) => {
    await host.run(`nft 'add table inet filter; ${commands}'`);
    for (const backend of ["iptables", "nftables"]) {
      const { code, msg } = await status(host, { backend });
      expect(code).toBe(50);
      expect(msg).toContain("chain forward of table inet filter drops forwarded packets");
    }
    await host.run("nft delete table inet filter");
  });

  firewallTest("whose rules may accept containers is only logged", async (host) => {
    await host.run(
      `nft 'add table inet filter; ${CHAIN}; add rule inet filter forward iifname "br0" accept'`,
    );
    const { code, stderr } = await status(host);
    expect(code).toBe(0);
    expect(stderr).toContain("chain forward of table inet filter drops forwarded packets");
    await host.run("nft delete table inet filter");
  });
});

firewallTest(
  "F31: iptables' own FORWARD may drop with the backend iptables, not with nftables",
  async (host) => {
    await host.run("iptables -P FORWARD DROP");
    expect((await status(host, { backend: "iptables" })).code).toBe(0);
    const { code, msg } = await status(host, { backend: "nftables" });
    expect(code).toBe(50);
    expect(msg).toContain("chain FORWARD of table ip filter drops forwarded packets");
    await host.run("nft delete table ip filter");
  },
);
