/**
 * K9: what a container has in its namespace does not decide over the memory of a plugin that looks at it. Many routes: the
 * kernel takes ever longer for each further address, so that addresses are counted in test/links.
 */
import { expect } from "bun:test";
import { measuredCall } from "../../support/plugin-call.ts";
import { attach, hostLocal, networkTest, V4, V6 } from "./network.ts";

const ROUTES = 120_000;
const ADDRESSES = 500;
/** MiB that pass before the engine collects what is used no more, however much comes. */
const MORE = 40;

/** Numbers below 2^24 as three parts of an IPv4 address. */
const parts = (index: number): string => `${index >> 16}.${(index >> 8) & 255}.${index & 255}`;

const lines = (count: number, line: (index: number) => string): string =>
  `${Array.from({ length: count }, (_, index) => line(index)).join("\n")}\n`;

networkTest("CHECK of a container with 120,000 routes and 500 addresses", async (host) => {
  const ipam = { ...hostLocal(V4, V6), routes: [{ dst: "0.0.0.0/0" }] };
  // This is about memory: a busy machine may take its time.
  const one = await attach(host, "crowded", { isGateway: true, ipam, callTimeout: 200 });
  const check = (prevResult: object) => measuredCall("bridge", one.request("CHECK", { prevResult }));
  const before = await check(one.result);
  expect(`${before.outcome}`).toStartWith("exit code 0");

  for (const stdin of [
    lines(ROUTES, (index) => `route add 11.${parts(index)}/32 dev eth0`),
    lines(ADDRESSES, (index) => `addr add 12.${parts(index)}/32 dev eth0`),
  ])
    await one.namespace.run(["ip", "-batch", "-"], { stdin });
  const crowded = await check(one.result);
  expect(`${crowded.outcome}`).toStartWith("exit code 0");
  expect(crowded.mebibytes).toBeLessThan(before.mebibytes + MORE);

  const [ip] = one.result.ips;
  const lost = await check({ ...one.result, ips: [{ ...ip, address: "10.77.0.99/24", interface: 2 }] });
  expect(lost.outcome.json().msg).toMatch(
    /Failed to match addr 10\.77\.0\.99\/24 on interface eth0: it has (\S+, ){7}\S+ and \d+ more$/,
  );
  expect(lost.mebibytes).toBeLessThan(before.mebibytes + MORE);
  await one.del();
});
