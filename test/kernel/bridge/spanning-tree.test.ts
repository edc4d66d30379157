/** K20: a bridge that runs the spanning tree protocol lets a new port pass frames late: ADD waits for that, or says so. */
import { expect } from "bun:test";
import { type AddResult, networkTest, prepare, shownLink } from "./network.ts";

networkTest(
  "K20: a short delay is waited for: the container has its network when ADD is done",
  async (host) => {
    await host.run("ip link add br0 type bridge stp_state 1 forward_delay 200");
    const one = await prepare(host, "c1", { isGateway: true });
    const outcome = await one.call("ADD");
    expect([outcome.exitCode, outcome.stderr]).toEqual([0, ""]);
    const { interfaces } = outcome.json<AddResult>();
    const port = await shownLink(host, interfaces[1]?.name ?? "");
    expect(port.linkinfo?.info_slave_data?.state).toBe("forwarding");
    await one.namespace.run(["ping", "-n", "-c1", "-W3", "10.77.0.1"]);
    await one.del();
  },
);

networkTest(
  "K20: a delay beyond the time of a call is named, with its length and the remedy",
  async (host) => {
    await host.run("ip link add br0 type bridge stp_state 1");
    const one = await prepare(host, "c1");
    const { exitCode, stderr } = await one.call("ADD");
    expect(exitCode).toBe(0);
    expect(stderr).toContain('passes no frames yet: bridge "br0" runs the spanning tree protocol');
    expect(stderr).toContain("listening, which takes up to 30 s");
    expect(stderr).toContain("ip link set br0 type bridge stp_state 0");
    await one.del();
  },
);
