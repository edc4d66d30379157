/**
 * Variables that the runtime would obey, and that no caller may turn the plugins into something else with
 * (docs/decisions/0016-closed-variables.md). Each made another outcome of a call before the names were taken out.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { variablePatches } from "../../build/close-variables.ts";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { protocolProblems } from "../support/protocol.ts";
import { surroundedCall } from "../support/surrounded-call.ts";

const folder = mkdtempSync(join(tmpdir(), "variables-"));
afterEach(() => {
  for (const name of readdirSync(folder)) if (name !== "script.js") rmSync(join(folder, name));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const script = join(folder, "script.js");
writeFileSync(
  script,
  `require("fs").writeFileSync(${JSON.stringify(join(folder, "ran"))}, ""); console.log("x");`,
);
const made = join(folder, "made");

/** As they would be set to do harm. */
const CLOSED = `
  BUN_BE_BUN=1 BUN_OPTIONS=--preload=${script} BUN_OPTIONS=--version BUN_OPTIONS=--help
  BUN_OPTIONS=--cpu-prof BUN_OPTIONS=--heap-prof BUN_OPTIONS=--config=${folder}
  BUN_INSPECT=ws://127.0.0.1:0/x?wait=1 BUN_INSPECT_PRELOAD=${script} BUN_BYTECODE_ORDER_OUT=${made}
  BUN_BYTECODE_DIGEST_OUT=${made} BUN_JSC_useJIT=0 BUN_JSC_watchdog=1 BUN_JSC_unknown=1
  BUN_JSC_dumpOptions=3 BUN_JSC_dumpGeneratedBytecodes=1 BUN_JSC_breakOnThrow=1
  BUN_JSC_jitMemoryReservationSize=4096 BUN_JSC_maxPerThreadStackUsage=1000 JavaScriptCoreUseJIT=0
  SIMDUTF_FORCE_IMPLEMENTATION=unknown
`;

/** Others, which the runtime does not obey in a compiled file, or only where the plugins use nothing of it. */
const WITHOUT_EFFECT = `
  NODE_OPTIONS=--require=${script} NODE_EXTRA_CA_CERTS=${script} NODE_V8_COVERAGE=${made} NODE_CHANNEL_FD=0
  NODE_ENV=development NODE_DEBUG=* BUN_CONFIG_VERBOSE_FETCH=1 BUN_RUNTIME_TRANSPILER_CACHE_PATH=${made}
  BUN_TMPDIR=/nonexistent BUN_DEBUG=${made} BUN_ENABLE_CRASH_REPORTING=1 BUN_GARBAGE_COLLECTOR_LEVEL=2
  BUN_FEATURE_FLAG_NO_ORPHANS=1 BUN_DESTRUCT_VM_ON_EXIT=1 JSC_useJIT=0 JSC_SIGNAL_FOR_GC=15
  UV_THREADPOOL_SIZE=1 WTF_numberOfProcessorCores=0 DO_NOT_TRACK=1 FORCE_COLOR=3 DEBUG=* CI=1
  TMPDIR=/nonexistent HOME=/nonexistent XDG_CONFIG_HOME=${folder} LC_ALL=tr_TR.UTF-8 TZ=/etc/passwd
  ICU_DATA=${folder}
`;

const settings = `${CLOSED}${WITHOUT_EFFECT}`.trim().split(/\s+/);
test.each(settings)("%s changes nothing", async (setting) => {
  using leases = new LeaseDirectory();
  const equals = setting.indexOf("=");
  const call = { cwd: folder, env: { [setting.slice(0, equals)]: setting.slice(equals + 1) } };
  const added = await surroundedCall(leases, call);
  expect([added.exitCode, added.stderr]).toEqual([0, ""]);
  expect(added.json()).toMatchObject({ ips: [{ address: "10.1.0.2/24" }] });
  const again = await surroundedCall(leases, call);
  expect([again.exitCode, ...protocolProblems("ADD", again)]).toEqual([1]);
  const deleted = await surroundedCall(leases, { ...call, command: "DEL" });
  expect(`${deleted}`).toBe('exit code 0, stdout "", stderr ""');
  expect(leases.leases()).toEqual({});
  expect(readdirSync(folder)).toEqual(["script.js"]);
  expect(existsSync(made)).toBe(false);
});

test("an empty environment is one that no runtime sends: what the program is", async () => {
  using leases = new LeaseDirectory();
  const { exitCode, stdout, stderr } = await surroundedCall(leases, { line: 'exec env -i "$@"' });
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "" });
  expect(stderr).toStartWith("CNI host-local plugin v");
});

describe("the build refuses a runtime", () => {
  const elf = (machine: number): Buffer => {
    const program = Buffer.alloc(4096);
    program.writeUInt16LE(machine, 18);
    return program;
  };

  test("that lacks a name", () => {
    expect(() => variablePatches(elf(62))).toThrow(
      "cannot close the variable BUN_BE_BUN: its place in the runtime was found 0 times, not once",
    );
  });

  test("that has a name twice", () => {
    const program = elf(183);
    program.write("\0BUN_BE_BUN\0x\0BUN_BE_BUN\0", 100, "latin1");
    expect(() => variablePatches(program)).toThrow("was found 2 times");
  });

  test("for another processor", () => {
    expect(() => variablePatches(elf(243))).toThrow("ELF machine 243 is not supported");
  });
});
