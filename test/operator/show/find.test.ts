/** O9: what an argument of `show` names. */
import { expect, test } from "bun:test";
import { find } from "../../../src/operator/show/find.ts";
import { NODES } from "./nodes.ts";

/** What is left of the tree: "net1: br0(veth1,veth2); others gone". */
function said(text: string): string | readonly string[] {
  const found = find(NODES, text);
  if (found === undefined) return "nothing";
  return found
    .map((node) => {
      if (typeof node === "string") return node.slice(-1);
      const bridges = node.bridges.map(
        ({ ifname, ports }) => `${ifname}(${ports.map((port) => port.ifname)})`,
      );
      const others = node.others.map(({ attachment }) => attachment?.containerID ?? "-");
      return `${node.network}: ${[...bridges, ...others].join(" ")}`;
    })
    .join("; ");
}

const ALL = "net1: br0(veth1,veth2,eth1) gone";

test.each([
  ["a network", "net1", ALL],
  ["a network whose bridge is not there", "net2", "net2: cni0() point"],
  ["a container", "0123456789abcdef1", "net1: br0(veth1)"],
  ["a container of which only a lease is left", "gone", "net1: gone"],
  ["the beginning of an id", "g", "net1: gone"],
  ["a bridge", "br0", "net1: br0(veth1,veth2,eth1)"],
  ["a port of a bridge", "veth2", "net1: br0(veth2)"],
  ["an interface of the host at no bridge", "veth9", "net2: point"],
  ["a port that is no container's", "eth1", "net1: br0(eth1)"],
  ["an address", "10.1.2.3", "net1: br0(veth1)"],
  ["an address with its prefix length", "10.1.2.3/24", "net1: br0(veth1)"],
  ["an address in another spelling", "fd00:0::0:4", "net1: br0(veth2)"],
  ["the bridge's address", "fd00::1", "net1: br0(veth1,veth2,eth1)"],
  ["an address of a lease", "10.1.2.9", "net1: gone"],
  ["an address of the host", "192.0.2.1", "net1: br0(veth1)"],
  ["a port of the host", "8080", "net1: br0(veth1)"],
  ["a port and its protocol", "5353/UDP", "net1: br0(veth1)"],
  ["a port of an address", "192.0.2.1:5353", "net1: br0(veth1)"],
  ["a namespace", "/run/netns/b", "net1: br0(veth2)"],
  ["a namespace by another way", "/var/run/netns/b", "net1: br0(veth2)"],
  ["a namespace by its name", "b", "net1: br0(veth2)"],
  ["another protocol", "5353/tcp", "nothing"],
  ["another address of the host", "192.0.2.2:5353", "nothing"],
  ["an interface that each container has", "eth0", "nothing"],
  ["nothing", "", "nothing"],
  ["an address that only begins so", "10.1.2", "nothing"],
  ["a beginning that is not the only one", "0123", "1; 2"],
])("O9: show finds %s: %s", (_, text, expected) => {
  expect(said(text)).toBe(expected);
});
