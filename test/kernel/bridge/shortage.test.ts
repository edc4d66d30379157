/** Too little memory for the compact file at any point of an ADD or DEL of bridge: one error object, and nothing is left. */
import { expect, type test } from "bun:test";
import { isCompact } from "../../support/engine.ts";
import { hostTests } from "../../support/host-test.ts";
import { protocolProblems } from "../../support/protocol.ts";
import { testUnless } from "../../support/skip.ts";
import { hostLocal, leased, portsOf, prepare, STAYS, V4, V6 } from "./network.ts";

const run: typeof test = testUnless(isCompact() ? undefined : "the Bun file asks for more");
const shortageTest = hostTests({ mayKeep: STAYS }, run);

const KEYS = { isGateway: true, ipMasq: true, macspoofchk: true, ipam: hostLocal(V4, V6) };
const NO_MEMORY = /not enough memory|cannot allocate memory/;

shortageTest(
  "K21: any limit of address space, from what the kernel needs to start the file",
  async (host) => {
    const one = await prepare(host, "c1", KEYS);
    // The bridge stays (rule B33): with it the host is as before each ADD.
    await one.add();
    await one.del();
    const ended: string[] = [];
    for (let kibibytes = 2400; kibibytes <= 7200; kibibytes += 200) {
      const line = `ulimit -v ${kibibytes}; exec "$@"`;
      const call = async (command: string) => {
        const outcome = await one.callUnder(["/bin/sh", "-c", line, "sh"], one.request(command));
        expect(`${kibibytes}: ${outcome}`).toMatch(/: exit code [01], /);
        expect(protocolProblems(command, outcome)).toEqual([]);
        if (outcome.exitCode !== 0) expect(outcome.json().msg).toMatch(NO_MEMORY);
        ended.push(`${command} ${outcome.exitCode}`);
        return outcome.exitCode === 0;
      };
      const isAdded = await call("ADD");
      // DEL needs less than ADD: also one that failed in between must be possible to repeat.
      if (!isAdded || !(await call("DEL"))) {
        if (!isAdded)
          expect([await one.interfaces(), await portsOf(host), leased()]).toEqual([["lo"], [], []]);
        await one.add();
        await call("DEL");
        await one.del();
      }
      expect([await one.interfaces(), await portsOf(host), leased()]).toEqual([["lo"], [], []]);
    }
    expect([...new Set(ended)].sort()).toEqual(["ADD 0", "ADD 1", "DEL 0", "DEL 1"]);
  },
);
