/** A host with a bridge and without containers: enough for what only looks at rules. */
import { eventually } from "../../support/eventually.ts";
import { hostTests } from "../../support/host-test.ts";
import type { NamedNamespace, ScratchHost } from "../../support/scratch-host.ts";

/** Gives `body` a host with the bridge br0, which goes afterwards. */
export const withBridge =
  (body: (host: ScratchHost) => Promise<unknown>) =>
  async (host: ScratchHost): Promise<void> => {
    await host.run(`
      set -e
      ip link add br0 type bridge
      ip addr add 10.1.2.1/24 dev br0
      ip addr add fd00:2::1/64 dev br0 nodad
      ip link set br0 up`);
    await body(host);
    await host.run("ip link delete br0");
  };

/** A test that leaves nothing at all. */
export const ruleTest = (name: string, body: (host: ScratchHost) => Promise<unknown>): void =>
  hostTests()(name, withBridge(body));

export const V4 = "10.1.2.3/24";
export const V6 = "fd00:2::3/64";

/** The namespace of a container, which may be gone later. */
export const container = (host: ScratchHost, name: string): Promise<NamedNamespace> =>
  host.addNamespace(name);

/** Deletes all namespaces, and waits until the kernel has let this one go: then its end of a pair takes the other along. */
export async function endNamespaces(host: ScratchHost, name: string): Promise<void> {
  await host.run(`ip link add witness type veth peer name witness1 netns ${name}`);
  await host.removeNamespaces();
  const isGone = async () => !(await host.run("ip -br link")).includes("witness");
  await eventually(`the end of namespace ${name}`, isGone);
}
