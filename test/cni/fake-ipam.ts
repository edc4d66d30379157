/**
 * An IPAM plugin for tests of delegation, to be called in this process or run as a program. It does what
 * `ipam.<command>` of its configuration says, and logs each call.
 */
import { CniError } from "../../src/cni/error.ts";
import type { Plugin, Request } from "../../src/cni/plugin.ts";
import { runPlugin } from "../../src/cni/protocol.ts";
import { emptyResult, type Result } from "../../src/cni/result.ts";
import { get, objectOf } from "../../src/schema/parse.ts";
import { endlessTime } from "../support/call-time.ts";
import { bytes, noDelegation, prefix } from "./fake-host.ts";

function ipamKey({ config }: Request, key: string): unknown {
  const ipam = get(config.json, "ipam");
  return ipam === undefined ? undefined : get(objectOf(ipam, "ipam"), key);
}

function act(request: Request): void {
  const { command, containerId, netns, ifname, args, path, environment, stdin } = request;
  const seen = { command, containerId, netns, ifname, args, path, trace: environment.TRACEPARENT };
  request.log(`ipam: ${JSON.stringify(seen)} ${Bun.hash(stdin)}`);
  switch (ipamKey(request, command.toLowerCase())) {
    case "CNI error":
      throw new CniError(11, "try again later", "the lock is held");
    case "error":
      throw new Error('oops "é"\n');
    case "text":
      throw "only text";
  }
}

/** A result of which every version leaves something out. */
const richResult = (): Result => ({
  interfaces: [{ name: "x", mac: "", mtu: 1400 }],
  ips: [
    { address: prefix("fd00::2/64"), interface: 0 },
    { address: prefix("10.1.0.2/24"), interface: 0 },
    { address: prefix("10.2.0.2/24"), interface: 0 },
  ],
  routes: [
    { dst: prefix("::/0"), table: 0 },
    { dst: prefix("0.0.0.0/0"), mtu: 1300, priority: 0 },
  ],
  dns: { nameservers: [], domain: "a.example" },
});

export const fakeIpam: Plugin = {
  name: "fake-ipam",
  kind: "ipam",
  async add(request) {
    act(request);
    return ipamKey(request, "result") === "empty" ? emptyResult() : richResult();
  },
  run: async (_command, request) => act(request),
};

if (import.meta.main) {
  const stdin = bytes(await Bun.stdin.text());
  process.exitCode = await runPlugin(fakeIpam, {
    environment: process.env,
    readStdin: () => stdin,
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    isOwnNetns: () => false,
    delegation: noDelegation,
    time: endlessTime,
  });
}
