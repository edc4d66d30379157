/** A request for unit tests of the bridge: a configuration without a process around it. */
import { readNetworkConfig } from "../../../src/cni/config.ts";
import type { Request } from "../../../src/cni/plugin.ts";
import { endlessTime } from "../../support/call-time.ts";

export function requestWith(keys: object, args = ""): Request {
  const document = { cniVersion: "1.1.0", name: "net", ...keys };
  return {
    command: "ADD",
    network: "net",
    containerId: "c1",
    netns: "/var/run/netns/c1",
    ifname: "eth0",
    args,
    path: [],
    config: readNetworkConfig(JSON.parse(JSON.stringify(document)), "ADD"),
    stdin: new Uint8Array(),
    environment: {},
    delegation: {
      isExecutable: () => false,
      builtIn: () => undefined,
      run: () => {
        throw new Error("no delegate here");
      },
    },
    time: endlessTime,
    log: () => {},
  };
}
