import { expect, test } from "bun:test";
import { type FoundLink, requireInBounds } from "../../../src/plugins/tuning/link-state.ts";
import { thrownBy } from "../../cni/fake-host.ts";

const MAC = "02:00:5e:10:00:0a";
const link = (state: FoundLink["state"], mtus?: FoundLink["mtus"]): FoundLink => ({
  ...{ index: 2, name: "eth0", isPromiscuous: false, mtus },
  state: { mtu: 1500, ...state },
});

test("T39: a MAC address is refused for a link that has none of its length", () => {
  requireInBounds(link({ mac: "02:00:5e:10:00:01" }), { mac: MAC }, "/n");
  const failure = (state: FoundLink["state"]) =>
    thrownBy(() => requireInBounds(link(state), { mac: MAC }, "/n"));
  expect(failure({ mac: "0a:00:00:01" })).toMatchObject({
    code: 7,
    message: `cannot set mac ${MAC} on "eth0" in /n: its hardware address is 0a:00:00:01; leave out mac`,
  });
  expect(failure({}).message).toContain("it has no hardware address");
});

test("T39: the mtu has the bounds of the link, and none where the kernel does not say", () => {
  for (const mtu of [68, 65535]) requireInBounds(link({}, [68, 65535]), { mtu }, "/n");
  for (const mtu of [67, 65536])
    expect(thrownBy(() => requireInBounds(link({}, [68, 65535]), { mtu }, "/n")).code).toBe(7);
  requireInBounds(link({}), { mtu: 1 }, "/n");
});
