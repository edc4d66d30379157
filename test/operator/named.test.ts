/** O13, O14: what the argument of doctor and repair names. */
import { expect, test } from "bun:test";
import type { FoundAttachment } from "../../src/operator/attachments.ts";
import { named } from "../../src/operator/named.ts";

const attachment = (containerId: string, path: string, cached?: string): FoundAttachment => ({
  ...{ network: "net1", containerId, ifname: "eth0", leases: [], links: [], rules: [] },
  netns: path === "" ? undefined : { path, inode: "1", cookie: undefined, netnsId: 1 },
  cached:
    cached === undefined
      ? undefined
      : {
          ...{ file: "", network: "net1", containerId, ifname: "eth0", netns: cached, config: undefined },
          ...{ cniArgs: [], capabilityArgs: {}, result: undefined },
        },
});

const STATE = {
  networks: { networks: [], broken: [] },
  attachments: [attachment("web", "/run/netns/job"), attachment("c2", "", "/var/run/netns/we")],
};

test.each([
  ["net1", ["web", "c2"]],
  ["we", ["web"]],
  ["job", ["web"]],
  ["c", ["c2"]],
])("the name %s", (name, ids) => {
  expect(named(STATE, name).attachments.map(({ containerId }) => containerId)).toEqual(ids);
});

test("a namespace that is gone names its container too, and nothing names none", () => {
  const attachments = STATE.attachments.slice(1);
  expect(named({ ...STATE, attachments }, "we").attachments).toEqual(attachments);
  for (const name of ["", "o", "/run/netns/job"]) expect(() => named(STATE, name)).toThrow("no container is");
});
