/** Rules of others survive: the listings before equal those after 100 ADDs and DELs, byte for byte. */
import { expect } from "bun:test";
import { outputOf } from "../../support/command.ts";
import { hostTest } from "../../support/host-test.ts";
import { masquerade, spoofCheck } from "./modules.ts";
import { prefixes } from "./prefixes.ts";

/** As Docker, ufw and kube-proxy leave it: chains that are used and empty ones, comments, marks, counters. */
const iptables = (local: string, containers: string): string => `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
:ufw-before-input - [0:0]
-A INPUT -j ufw-before-input
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER-USER -j RETURN
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -p tcp -m multiport --dports 22,80 -m comment --comment "dapp_\\"OpenSSH\\"" -j ACCEPT
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:KUBE-POSTROUTING - [0:0]
:CNI-0123456789abcdef01234567 - [0:0]
:EMPTY - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d ${local} -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING -s ${containers} ! -o docker0 -j MASQUERADE
-A POSTROUTING -s ${containers} -m comment --comment "name: \\"net1\\" id: \\"stranger\\"" -j CNI-0123456789abcdef01234567
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j REDIRECT --to-ports 80
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully
-A CNI-0123456789abcdef01234567 ! -d 224.0.0.0/4 -m comment --comment "name: \\"net1\\" id: \\"stranger\\"" -j MASQUERADE
COMMIT
`;

/** As firewalld and an administrator have it. */
const NFTABLES = `
table inet firewalld {
  set trusted { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/8, 192.168.0.0/16 } }
  map ports { type inet_service : verdict; elements = { 22 : accept, 80 : accept } }
  counter blocked { packets 0 bytes 0 }
  chain filter_INPUT {
    type filter hook input priority filter + 10; policy accept;
    ct state established,related accept
    tcp dport vmap @ports
    ip saddr @trusted accept comment "trusted networks"
    limit rate 5/minute counter name "blocked" log prefix "blocked: "
  }
  chain nat_POSTROUTING { type nat hook postrouting priority srcnat + 10; policy accept; oifname "wan0" masquerade random; }
}
table inet cni_plugins_masquerade {
  chain masq_checks { ip saddr == 10.99.0.7 ip daddr != 10.99.0.0/24 masquerade comment "0123456789abcdef-fedcba9876543210, net: other, if: eth0, id: stranger"; }
  chain postrouting { type nat hook postrouting priority srcnat; policy accept; ip daddr 224.0.0.0/4 return; ip6 daddr ff00::/8 return; goto masq_checks; }
}
table bridge nat {
  chain PREROUTING { type filter hook prerouting priority dstnat; policy accept; iifname "vnet0" jump libvirt-I-vnet0; }
  chain libvirt-I-vnet0 { ether saddr != 52:54:00:00:00:01 drop; }
}
`;

/** Handles included: not one rule was touched. */
const listings = (): Promise<string> =>
  outputOf(
    "for p in iptables ip6tables; do $p-nft-save -c; $p-legacy-save -c; done | grep -v '^#'; nft -a list ruleset",
  );

hostTest("100 ADDs and DELs of all kinds", async (host) => {
  const v6 = (text: string) => text.replaceAll("224.0.0.0/4", "ff00::/8");
  await host.run(["nft", "-f", "-"], { stdin: NFTABLES });
  const rules = { "": iptables("127.0.0.0/8", "172.17.0.0/16"), "6": v6(iptables("::1/128", "fd17::/64")) };
  for (const [family, text] of Object.entries(rules)) {
    for (const variant of ["nft", "legacy"])
      await host.run([`ip${family}tables-${variant}-restore`], { stdin: text });
  }
  const before = await listings();
  expect(before.split("\n").length).toBeGreaterThan(150);
  const attachments = Array.from({ length: 5 }, (_, index) => ({
    network: `net${index % 2}`,
    containerId: `c${index}`,
    ifname: "eth0",
  }));
  for (let round = 0; round < 10; round++) {
    for (const [index, attachment] of attachments.entries()) {
      const addresses = prefixes(`10.1.${round}.${index + 2}/24`, `fd00:${round}::${index + 2}/64`);
      await masquerade.setUp("iptables", attachment, addresses);
      await masquerade.setUp("nftables", attachment, addresses);
      await spoofCheck.setUp(attachment, `veth${index}`, `02:00:00:00:00:0${index}`);
    }
    for (const attachment of round % 2 === 0 ? attachments : attachments.toReversed()) {
      await masquerade.tearDown(attachment);
      await spoofCheck.tearDown(attachment);
    }
  }
  expect(await listings()).toBe(before);
  await host.run(
    "nft flush ruleset; for p in iptables ip6tables; do for t in filter nat; do $p-legacy -t $t -F; $p-legacy -t $t -X; $p-legacy -t $t -P INPUT ACCEPT; $p-legacy -t $t -P FORWARD ACCEPT; done; done 2>/dev/null; true",
  );
});
