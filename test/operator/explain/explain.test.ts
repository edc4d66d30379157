/** O16: explain knows each finding, each key, and the errors that people search for. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { CODES } from "../../../src/operator/codes/codes.ts";
import { ERRORS, explanationsOf } from "../../../src/operator/explain/find.ts";
import { pathsOf } from "../../../src/operator/validate/known-keys.ts";
import { PLUGIN_KEYS } from "../../../src/plugins/all-keys.ts";
import { PROJECT } from "../../support/test-files.ts";

test("O7, O16: each code that the sources report is in the table once, and each of the table is reported", async () => {
  const reported = new Set<string>();
  for (const path of new Bun.Glob("src/operator/**/*.ts").scanSync(PROJECT)) {
    if (path.startsWith("src/operator/codes/")) continue;
    for (const [code] of (await Bun.file(join(PROJECT, path)).text()).matchAll(/\bBH\d{3}\b/g))
      reported.add(code);
  }
  const table = CODES.map(([code]) => String(code));
  expect(table).toEqual([...reported].sort());
  expect(table).toEqual([...new Set(table)]);
});

test.each(CODES.map(([code]) => code))("O16: %s has a cause, a way to look and a remedy", (code) => {
  const [explanation, ...more] = explanationsOf(code.toLowerCase());
  expect(more).toEqual([]);
  expect(explanation).toMatchObject({ kind: "finding", name: code });
  for (const part of [explanation?.title, explanation?.cause, explanation?.look, explanation?.remedy])
    expect(part?.length).toBeGreaterThan(5);
});

/** A key of users has help; those inside of sections alone have none. */
const KEYS = PLUGIN_KEYS.flatMap((plugin) =>
  pathsOf(plugin).map((path) => [plugin.name, path.join(".")] as const),
);

test.each(KEYS.filter(([plugin, path]) => plugin === "bridge" || path !== "ipam.type"))(
  "O16: the key %s.%s is explained",
  (plugin, path) => {
    const found = explanationsOf(`${plugin}.${path}`);
    expect(found.map(({ kind }) => kind)).toEqual(["key"]);
    expect(found[0]?.cause.length).toBeGreaterThan(3);
  },
);

test("O16: a key is found without its plugin, without its section, and in any case", () => {
  expect(explanationsOf("bridge.ipMasqBackend")).toEqual([
    {
      kind: "key",
      name: "bridge.ipMasqBackend",
      title: "iptables, nftables; no default",
      cause: "How ipMasq is done. Default: iptables if it works on this host, else nftables.",
      look: "",
      remedy: 'Write it into the configuration of bridge as "ipMasqBackend".',
      issues: [],
    },
  ]);
  expect(explanationsOf("IPMASQ").map(({ name }) => name)).toEqual(["bridge.ipMasq"]);
  expect(explanationsOf("host-local.rangeStart").map(({ name }) => name)).toEqual(["host-local.rangeStart"]);
  expect(explanationsOf("portMappings").map(({ name }) => name)).toEqual([
    "portmap.runtimeConfig.portMappings",
  ]);
  expect(explanationsOf("backend").map(({ name }) => name)).toEqual(["portmap.backend", "firewall.backend"]);
  expect(explanationsOf("callTimeout").map(({ name }) => name)).toEqual(["callTimeout"]);
  expect(explanationsOf("cniVersion").map(({ name }) => name)).toEqual(["cniVersion"]);
});

/** Lines of logs, and what the first explanation must be about. */
const LOGS: readonly [string, string, string][] = [
  [
    'plugin type="bridge" failed (add): failed to allocate for range 0: no IP addresses available in range set: 10.88.0.1-10.88.255.254',
    "no free address in the range",
    "k3s#5885",
  ],
  [
    "failed to allocate for range 0: 10.4.0.5 has been allocated to default-9f8e, duplicate allocation is not allowed",
    "the container has an address already",
    "nerdctl#3355",
  ],
  [
    'failed to set bridge addr: "cni0" already has an IP address different from 10.42.1.1/24',
    "the bridge has another address",
    "flannel#1850",
  ],
  [
    "failed to create chain: running [/usr/sbin/iptables -t nat -N CNI-abc --wait]: exit status 1: iptables: Chain already exists.",
    "a chain exists already",
    "nerdctl#3518",
  ],
  [
    'failed to find plugin "portmap" in path [/opt/cni/bin]',
    "a plugin's program is missing",
    "containerd#5768",
  ],
  ["network plugin is not ready: cni config uninitialized", "the runtime has no network", ""],
  [
    'failed to locate iptables: exec: "iptables": executable file not found in $PATH',
    "there is no iptables on this host",
    "containerd#12953",
  ],
  [
    "CHECK of bridge: Failed to match addr 10.40.0.4/22 on interface eth0",
    "the container's interface is not as ADD has left it",
    "",
  ],
  [
    "CNI veth created for bridge br-green was not found",
    "the host's end of the container's pair is not as ADD has left it",
    "",
  ],
  [
    "could not check ipv4 dnat: rule [[-m comment]] in chain CNI-HOSTPORT-DNAT not found",
    "CHECK misses a rule of a container",
    "podman#3842",
  ],
  [
    "cannot open hostport 8080 for pod: listen tcp4 :8080: bind: address already in use",
    "the host port is taken",
    "podman#28889",
  ],
  ["bridge port in error state: lower-layer-down", "the port of the bridge did not come up", "multus#1276"],
  [
    "netplugin failed with no error message: signal: killed",
    "the plugin was killed or could not start",
    "plugins#737",
  ],
  [
    'failed to Statfs "/var/run/netns/cni-1": no such file or directory',
    "the container's namespace is gone",
    "",
  ],
  [
    "Another app is currently holding the xtables lock; still 9s 0us time ahead to have a chance to grab the lock...",
    "the lock of iptables is held",
    "plugins#510",
  ],
];

describe("O16: errors of logs are explained, the innermost one first", () => {
  test.each(LOGS)("%s", (text, title, issue) => {
    const [first] = explanationsOf(text);
    expect(first).toMatchObject({ kind: "error", title });
    if (issue !== "") expect(first?.issues).toContain(issue);
  });

  test("a text that is not known has no explanation", () => {
    expect(explanationsOf("the moon is full")).toEqual([]);
    expect(explanationsOf("BH999")).toEqual([]);
  });

  test("each row has all its parts, and its expression is valid", () => {
    for (const [pattern, ...texts] of ERRORS) {
      expect(new RegExp(pattern, "i").test("the moon is full")).toBe(false);
      for (const text of texts.slice(0, 4)) expect(text.length).toBeGreaterThan(5);
      expect(texts[4]).toMatch(/^(?:[a-z0-9-]+#\d+(?: |$))*$/);
    }
  });
});
