import { afterEach, describe, expect, test } from "bun:test";
import { toCniError } from "../../src/cni/error.ts";
import { LeaseFiles } from "../../src/leases/lease-files.ts";
import { openStore } from "../../src/leases/lease-store.ts";
import { withDeadline, withoutDeadline } from "../support/call-time.ts";
import { FakeBoot } from "../support/fake-boot.ts";
import { hostLocalOn, networkOf } from "../support/host-local-call.ts";
import { LeaseDirectory } from "../support/lease-directory.ts";
import { LockKeeper } from "../support/lock-keeper.ts";

test("L7: a lock that another holds for too long is code 11, and names the holder", async () => {
  using leases = new LeaseDirectory();
  leases.write("lock", "");
  await using keeper = await LockKeeper.on(`${leases.path}/lock`);
  const files = new LeaseFiles({ dataDir: leases.dataDir, network: "net" }, console.error);
  const error = toCniError(await openStore(files, new FakeBoot(), 50).catch((error) => error));
  expect(error.code).toBe(11);
  expect(error.message).toContain(`cannot lock "${leases.path}/lock": held by process ${keeper.pid} (`);
});

describe("K8: a failed ADD says what it took", () => {
  const call = (leases: LeaseDirectory) => ({
    config: networkOf(leases.dataDir, { ranges: [[{ subnet: "10.1.0.0/24" }]] }),
    lines: [] as string[],
  });
  const { add } = hostLocalOn(new FakeBoot());
  afterEach(withoutDeadline);

  test("nothing, when the lock was never had: there is no second wait", async () => {
    using leases = new LeaseDirectory();
    leases.write("lock", "");
    await using _ = await LockKeeper.on(`${leases.path}/lock`);
    withDeadline(100);
    const error = await add(call(leases)).catch(toCniError);
    expect(error).toMatchObject({ code: 11, nothingTaken: true, details: "" });
  });

  test("nothing, when it refuses its configuration", async () => {
    using leases = new LeaseDirectory();
    const error = await add({ config: networkOf(leases.dataDir, {}) }).catch(toCniError);
    expect(error).toMatchObject({ code: 7, nothingTaken: true });
  });

  test("nothing, when it has given all back; so a living attachment keeps its lease", async () => {
    using leases = new LeaseDirectory();
    await add(call(leases));
    const error = await add(call(leases)).catch(toCniError);
    expect(error).toMatchObject({ code: 999, nothingTaken: true });
    expect(Object.keys(leases.leases())).toEqual(["10.1.0.2"]);
  });
});
