/** K20: a bridge that runs the spanning tree protocol lets a new port pass frames late: ADD waits for that, or says so. */
import { expect, test } from "bun:test";
import { Attachment, configuration, shownLink, withNetwork } from "./network.ts";

const stateOf = async (...[place, name]: Parameters<typeof shownLink>) =>
  (await shownLink(place, name)).linkinfo?.info_slave_data?.state;

test("K20: a short delay is waited for: the container has its network when ADD is done", () =>
  withNetwork(async (host) => {
    await host.run("ip link add br0 type bridge stp_state 1 forward_delay 200");
    const one = new Attachment(host, await host.addNamespace("c1"), configuration({ isGateway: true }));
    const outcome = await one.call("ADD");
    expect({ exitCode: outcome.exitCode, stderr: outcome.stderr }).toEqual({ exitCode: 0, stderr: "" });
    const { interfaces } = outcome.json<{ interfaces: { name: string }[] }>();
    expect(await stateOf(host, interfaces[1]?.name ?? "")).toBe("forwarding");
    await one.namespace.run(["ping", "-n", "-c1", "-W3", "10.77.0.1"]);
    await one.del();
  }));

test("K20: a delay beyond the time of a call is named, with its length and the remedy", () =>
  withNetwork(async (host) => {
    await host.run("ip link add br0 type bridge stp_state 1");
    const one = new Attachment(host, await host.addNamespace("c1"), configuration());
    const { exitCode, stderr } = await one.call("ADD");
    expect(exitCode).toBe(0);
    expect(stderr).toContain('passes no frames yet: bridge "br0" runs the spanning tree protocol');
    expect(stderr).toContain("listening, which takes up to 30 s");
    expect(stderr).toContain("ip link set br0 type bridge stp_state 0");
    await one.del();
  }));
