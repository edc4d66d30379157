/** O8: the leases of real containers, ours and the reference's, as they come and go. */
import { expect } from "bun:test";
import { command } from "../../operator/recording.ts";
import { eventually } from "../../support/eventually.ts";
import { addByGo } from "../bridge/go-attachment.ts";
import { attach, networkTest } from "../bridge/network.ts";

interface Listed {
  readonly address: string;
  readonly state: string;
  readonly containerID: string;
  readonly netns: string | null;
  readonly why: string;
}

/** By container: state, and namespace or reason. */
async function listed(): Promise<Record<string, string>> {
  const { stdout } = await command(["leases", "--json"]);
  const { networks } = JSON.parse(stdout) as { networks: { leases: Listed[] }[] };
  const all = networks.flatMap(({ leases }) => leases);
  return Object.fromEntries(
    all.map(({ containerID, state, netns, why }) => [containerID, `${state} ${netns ?? why}`]),
  );
}

networkTest("O8: alive as long as the namespace lives, dead when it is gone", async (host) => {
  const [one, two] = [await attach(host, "c1"), await attach(host, "c2")];
  expect(await listed()).toEqual({ c1: "alive /run/netns/c1", c2: "alive /run/netns/c2" });
  await host.run(["ip", "netns", "delete", "c2"]);
  await eventually("the end of the namespace", async () => (await listed()).c2?.startsWith("dead"));
  expect(await listed()).toEqual({ c1: "alive /run/netns/c1", c2: "dead its network namespace is gone" });
  for (const each of [one, two]) await each.del();
});

networkTest("O8: a lease of the reference is alive where its address is, else unknown", async (host) => {
  const one = await attach(host, "c1");
  const namespace = await host.addNamespace("go1");
  const go = await addByGo(host, namespace, "10.77.0.9");
  expect(await listed()).toMatchObject({ go1: "alive /run/netns/go1" });
  await host.run(["ip", "link", "delete", go.veth]);
  expect(await listed()).toMatchObject({ go1: "unknown not recorded (made by another plugin)" });
  await host.run(["rm", "/var/lib/cni/networks/testnet/10.77.0.9"]);
  await one.del();
});
