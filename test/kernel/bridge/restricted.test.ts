/** Hosts that lack something: IPv6 off, /proc/sys partly read-only, a nested user namespace. */
import { describe, expect, test } from "bun:test";
import { builtBinaries } from "../../support/plugin-call.ts";
import { stateDifference } from "../../support/state-difference.ts";
import {
  Attachment,
  BRIDGE,
  configuration,
  hostLocal,
  IPAM_FILES,
  NETWORK,
  V4,
  V6,
  withNetwork,
} from "./network.ts";

const IPV4 = configuration({ isGateway: true, ipam: { ...hostLocal(V4), routes: [{ dst: "0.0.0.0/0" }] } });
const DUAL = configuration({ isGateway: true, ipam: hostLocal(V4, V6) });

describe("where IPv6 is off", () => {
  test("disable_ipv6 on the host: IPv4 works", () =>
    withNetwork(async (host) => {
      await host.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
      const attachment = new Attachment(host, await host.addNamespace("c1"), IPV4);
      const result = await attachment.add();
      await attachment.check(result);
      await attachment.del();
      await host.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0");
    }));

  test("B22: disable_ipv6 in the container is turned off when it gets an IPv6 address", () =>
    withNetwork(async (host) => {
      const container = await host.addNamespace("c1");
      await container.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
      const attachment = new Attachment(host, container, DUAL);
      const result = await attachment.add();
      expect(await attachment.addresses()).toEqual(["10.77.0.2/24", "fd77::2/64"]);
      expect(
        await container.run(
          "cat /proc/sys/net/ipv6/conf/lo/disable_ipv6 /proc/sys/net/ipv6/conf/eth0/disable_ipv6",
        ),
      ).toBe("0\n0\n");
      await attachment.check(result);
      await attachment.del();
    }));

  test("no /proc/sys/net/ipv6 at all, as with ipv6.disable=1: IPv4 works", () =>
    withNetwork(async (host) => {
      // An empty folder over the settings is what a plugin sees of a kernel without IPv6.
      await host.run("mount -t tmpfs none /proc/sys/net/ipv6");
      const attachment = new Attachment(host, await host.addNamespace("c1"), IPV4);
      const outcome = await attachment.call("ADD");
      expect({ exitCode: outcome.exitCode, stderr: outcome.stderr }).toEqual({ exitCode: 0, stderr: "" });
      await attachment.del();
      await host.run("umount /proc/sys/net/ipv6");
    }));
});

describe("where /proc/sys is read-only", () => {
  const readOnly = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys";

  test("B26: forwarding that can't be turned on is a clear error, and nothing stays", () =>
    withNetwork(async (host) => {
      await host.run(readOnly);
      const attachment = new Attachment(host, await host.addNamespace("c1"), IPV4);
      const before = await host.state();
      const error = await attachment.failure("ADD");
      expect(error.msg).toMatch(
        /failed to enable forwarding: .*read-only file system.*; set it on the host: sysctl -w net\.ipv4\.ip_forward=1/,
      );
      expect(stateDifference(before, await host.state(), [IPAM_FILES])).toEqual([]);
      await host.run("umount /proc/sys");
    }));

  test("B26: where all that matters is right already, it does no harm", () =>
    withNetwork(async (host) => {
      await host.run(`sysctl -qw net.ipv4.ip_forward=1; ${readOnly}`);
      const attachment = new Attachment(host, await host.addNamespace("c1"), IPV4);
      const outcome = await attachment.call("ADD");
      expect(outcome.exitCode).toBe(0);
      expect(outcome.stderr).toContain("cannot set net/ipv4/conf/eth0/arp_notify to 1");
      await attachment.del();
      await host.run("umount /proc/sys; sysctl -qw net.ipv4.ip_forward=0");
    }));
});

test("in a nested user namespace the whole life of an attachment works", () =>
  withNetwork(async (host) => {
    // Root of a user namespace of its own, with network, mount and process ids below it.
    const script = `
set -e
mount -t tmpfs none /run; mkdir -p /run/leases; ip link set lo up
unshare --net sleep 300 & pid=$!
until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
export CNI_CONTAINERID=nested CNI_NETNS=/proc/$pid/ns/net CNI_IFNAME=eth0 CNI_PATH=${builtBinaries()}
conf='${JSON.stringify({ ...IPV4, ipam: { ...hostLocal(V4), dataDir: "/run/leases" } })}'
echo "$conf" | CNI_COMMAND=ADD $CNI_PATH/bridge >/run/result
ip -br addr show ${BRIDGE}
nsenter --net=$CNI_NETNS ping -c1 -W2 10.77.0.1 >/dev/null && echo reached
echo "$conf" | CNI_COMMAND=DEL $CNI_PATH/bridge
ip -br link show type veth
kill $pid
echo done`;
    const output = await host.run([
      "unshare",
      "--user",
      "--map-root-user",
      "--net",
      "--mount",
      "--pid",
      "--fork",
      "--mount-proc",
      "/bin/sh",
      "-c",
      script,
    ]);
    expect(output).toMatch(/10\.77\.0\.1\/24[^\n]*\nreached\ndone\n$/);
  }));

test("K6: an uplink to a namespace that may not be looked into holds no address: DEL and GC free those that are gone", () =>
  withNetwork(async (host) => {
    // As an unprivileged system container has it: its namespace's other end belongs to a user namespace above.
    const inside = `
set -e
mount -t tmpfs none /run; mkdir -p /run/leases/${NETWORK}
until ip link show uplink >/dev/null 2>&1; do :; done
export CNI_CONTAINERID=gone CNI_NETNS= CNI_IFNAME=eth0 CNI_PATH=${builtBinaries()}
call() { echo "$2" | CNI_COMMAND=$1 $CNI_PATH/bridge 2>&1; }
for address in 2 3; do printf 'gone%s\\r\\neth0' $address >/run/leases/${NETWORK}/10.77.0.$address; done
conf='${JSON.stringify({ ...IPV4, ipam: { ...hostLocal(V4), dataDir: "/run/leases" } })}'
CNI_CONTAINERID=gone2 call DEL "$conf"
ls /run/leases/${NETWORK} | grep 10
call GC "{\\"cni.dev/valid-attachments\\":[{\\"containerID\\":\\"other\\",\\"ifname\\":\\"eth0\\"}],\${conf#?}" >/dev/null
ls /run/leases/${NETWORK} | grep 10 || echo none`;
    const output = await host.run(
      `unshare --user --map-root-user --net --mount /bin/sh -c "$INSIDE" & pid=$!
until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add up0 type veth peer name uplink netns $pid
wait $pid; ip link del up0 2>/dev/null; true`.replace("$INSIDE", () => inside.replaceAll(/["$\\`]/g, "\\$&")),
    );
    expect(output).toBe("10.77.0.3\nnone\n");
  }));
