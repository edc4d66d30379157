import { afterEach, describe, expect, test } from "bun:test";
import { toCniError } from "../../src/cni/error.ts";
import { LeaseFiles } from "../../src/leases/lease-files.ts";
import { openStore } from "../../src/leases/lease-store.ts";
import { withDeadline, withoutDeadline } from "../support/call-time.ts";
import { FakeBoot } from "../support/fake-boot.ts";
import { hostLocalOn, networkOf } from "../support/host-local-call.ts";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { LockKeeper } from "../support/lock-keeper.ts";

test("L7: a lock that another process holds for too long is code 11, and the error names the process", async () => {
  using leases = new LeaseDirectory();
  leases.write("lock", "");
  await using keeper = await LockKeeper.on(`${leases.path}/lock`);
  const files = new LeaseFiles({ dataDir: leases.dataDir, network: "net" }, console.error);
  const error = toCniError(await openStore(files, new FakeBoot(), 50).catch((error) => error));
  expect(error.code).toBe(11);
  expect(error.message).toContain(`cannot lock "${leases.path}/lock": held by process ${keeper.pid} (`);
});

describe("K8: a failed ADD reports that it holds nothing", () => {
  const call = (leases: LeaseDirectory) => ({
    config: networkOf(leases.dataDir, { ranges: [[{ subnet: "10.1.0.0/24" }]] }),
    lines: [] as string[],
  });
  const { add } = hostLocalOn(new FakeBoot());
  afterEach(withoutDeadline);

  test("if it did not get the lock, for which it does not wait again", async () => {
    using leases = new LeaseDirectory();
    leases.write("lock", "");
    await using _ = await LockKeeper.on(`${leases.path}/lock`);
    withDeadline(100);
    const error = await add(call(leases)).catch(toCniError);
    expect(error).toMatchObject({ code: 11, nothingTaken: true, details: "" });
  });

  test("if it rejects its configuration", async () => {
    using leases = new LeaseDirectory();
    const error = await add({ config: networkOf(leases.dataDir, {}) }).catch(toCniError);
    expect(error).toMatchObject({ code: 7, nothingTaken: true });
  });

  test("if it has released everything; so a living attachment keeps its lease", async () => {
    using leases = new LeaseDirectory();
    await add(call(leases));
    const error = await add(call(leases)).catch(toCniError);
    expect(error).toMatchObject({ code: 999, nothingTaken: true });
    expect(Object.keys(leases.leases())).toEqual(["10.1.0.2"]);
  });
});
