/** O13: which published ports doctor calls taken. */
import { expect, test } from "bun:test";
import type { IpAddress } from "../../src/net/ip.ts";
import { takenOf } from "../../src/operator/doctor/port-checks.ts";
import type { PublishedPort } from "../../src/operator/port-list.ts";

const v4: IpAddress = { family: 4, value: 0n };
const port = (changes: Partial<PublishedPort>): PublishedPort => ({
  ...{
    network: "net",
    containerId: "c1",
    ifname: "eth0",
    family: 4,
    address: { family: 4, value: 0x0a4d0002n },
  },
  ...{ backend: "nftables", state: "taken", why: undefined, by: undefined, isOpen: true },
  ...{ attachment: undefined, rule: undefined },
  mapping: { hostPort: 80, containerPort: 8080, protocol: "tcp", hostIp: v4 },
  process: { pid: 7, program: "nginx", isAncestor: false },
  ...changes,
});
const found = (...ports: PublishedPort[]) =>
  takenOf(ports).map(({ object, message }) => `${object}: ${message}`);

test("O13: a port of both families is one finding, with the process", () => {
  const v6 = port({ family: 6, mapping: { ...port({}).mapping, hostIp: { family: 6, value: 0n } } });
  expect(found(port({}), v6)).toEqual([
    "net/c1/eth0: process 7 (nginx) of the host listens on 80/tcp, and gets no connection: the port leads to 10.77.0.2:8080",
  ]);
});

test("O13: a process that /proc does not show, and podman's monitor, which only keeps the port", () => {
  expect(found(port({ process: undefined }))).toEqual([
    expect.stringContaining("net/c1/eth0: a program of the host listens on 80/tcp"),
  ]);
  expect(found(port({ process: { pid: 7, program: "conmon", isAncestor: false } }))).toEqual([]);
  expect(found(port({ state: "leads" }))).toEqual([]);
});
