/** Hosts that lack something: IPv6 off, /proc/sys partly read-only, a nested user namespace. */
import { describe, expect } from "bun:test";
import { builtBinaries } from "../../support/plugin-call.ts";
import {
  BRIDGE,
  configuration,
  hostLocal,
  IPAM_FILES,
  NETWORK,
  networkTest,
  prepare,
  settings,
  V4,
  V6,
  wholeLife,
} from "./network.ts";

const IPV4 = { isGateway: true, ipam: { ...hostLocal(V4), routes: [{ dst: "0.0.0.0/0" }] } };
const DUAL = { isGateway: true, ipam: hostLocal(V4, V6) };

const switchIpv6 = (off: 0 | 1) =>
  `sysctl -qw net.ipv6.conf.all.disable_ipv6=${off} net.ipv6.conf.default.disable_ipv6=${off}`;

describe("where IPv6 is off", () => {
  networkTest("disable_ipv6 on the host: IPv4 works", async (host) => {
    await host.run(switchIpv6(1));
    await wholeLife(host, IPV4, async () => {});
    await host.run(switchIpv6(0));
  });

  networkTest(
    "B22: disable_ipv6 in the container is turned off when it gets an IPv6 address",
    async (host) => {
      const one = await prepare(host, "c1", DUAL);
      await one.namespace.run(switchIpv6(1));
      await one.add();
      expect(await one.addresses()).toEqual(["10.77.0.2/24", "fd77::2/64"]);
      const names = ["ipv6/conf/lo/disable_ipv6", "ipv6/conf/eth0/disable_ipv6"];
      expect(await settings(one.namespace, ...names)).toBe("0 0");
      await one.check();
      await one.del();
    },
  );

  networkTest("no /proc/sys/net/ipv6 at all, as with ipv6.disable=1: IPv4 works", async (host) => {
    // An empty folder over the settings is what a plugin sees of a kernel without IPv6.
    await host.run("mount -t tmpfs none /proc/sys/net/ipv6");
    const one = await prepare(host, "c1", IPV4);
    const { exitCode, stderr } = await one.call("ADD");
    expect([exitCode, stderr]).toEqual([0, ""]);
    await one.del();
    await host.run("umount /proc/sys/net/ipv6");
  });
});

describe("where /proc/sys is read-only", () => {
  const readOnly = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys";

  networkTest("B26: forwarding that can't be turned on is a clear error, and nothing stays", async (host) => {
    await host.run(readOnly);
    const one = await prepare(host, "c1", IPV4);
    const { msg } = await host.unchangedBy(() => one.failure("ADD"), [IPAM_FILES]);
    expect(msg).toMatch(
      /failed to enable forwarding: .*read-only file system.*; set it on the host: sysctl -w net\.ipv4\.ip_forward=1/,
    );
    await host.run("umount /proc/sys");
  });

  networkTest("B26: where all that matters is right already, it does no harm", async (host) => {
    await host.run(`sysctl -qw net.ipv4.ip_forward=1; ${readOnly}`);
    const one = await prepare(host, "c1", IPV4);
    const outcome = await one.call("ADD");
    expect(outcome.exitCode).toBe(0);
    expect(outcome.stderr).toContain("cannot set net/ipv4/conf/eth0/arp_notify to 1");
    await one.del();
    await host.run("umount /proc/sys; sysctl -qw net.ipv4.ip_forward=0");
  });
});

/** As the shell takes it, with leases in a folder of the namespace's own. */
const CONFIG = JSON.stringify(configuration({ ...IPV4, ipam: { ...hostLocal(V4), dataDir: "/run/leases" } }));

networkTest("in a nested user namespace the whole life of an attachment works", async (host) => {
  // Root of a user namespace of its own, with network, mount and process ids below it.
  const script = `
set -e
mount -t tmpfs none /run; mkdir -p /run/leases; ip link set lo up
unshare --net sleep 300 & pid=$!
until [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
export CNI_CONTAINERID=nested CNI_NETNS=/proc/$pid/ns/net CNI_IFNAME=eth0 CNI_PATH=${builtBinaries()}
conf='${CONFIG}'
echo "$conf" | CNI_COMMAND=ADD $CNI_PATH/bridge >/run/result
ip -br addr show ${BRIDGE}
nsenter --net=$CNI_NETNS ping -c1 -W2 10.77.0.1 >/dev/null && echo reached
echo "$conf" | CNI_COMMAND=DEL $CNI_PATH/bridge
ip -br link show type veth
kill $pid
echo done`;
  const namespaces = ["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc"];
  const output = await host.run(["unshare", ...namespaces, "/bin/sh", "-c", script]);
  expect(output).toMatch(/10\.77\.0\.1\/24[^\n]*\nreached\ndone\n$/);
});

networkTest(
  "K6: an uplink to a namespace that may not be looked into holds no address: DEL and GC free those that are gone",
  async (host) => {
    // As an unprivileged system container has it: its namespace's other end belongs to a user namespace above.
    const inside = `
set -e
mount -t tmpfs none /run; mkdir -p /run/leases/${NETWORK}
until ip link show uplink >/dev/null 2>&1; do :; done
export CNI_CONTAINERID=gone CNI_NETNS= CNI_IFNAME=eth0 CNI_PATH=${builtBinaries()}
call() { echo "$2" | CNI_COMMAND=$1 $CNI_PATH/bridge 2>&1; }
for address in 2 3; do printf 'gone%s\\r\\neth0' $address >/run/leases/${NETWORK}/10.77.0.$address; done
conf='${CONFIG}'
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
  },
);
