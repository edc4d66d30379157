import { expect, test } from "bun:test";
import { toCniError } from "../../../src/cni/error.ts";
import { LeaseFiles } from "../../../src/plugins/host-local/lease-files.ts";
import { openStore } from "../../../src/plugins/host-local/open-store.ts";
import { FakeMachine } from "../../support/fake-machine.ts";
import { LeaseDirectory } from "../../support/lease-directory.ts";
import { LockKeeper } from "../../support/lock-keeper.ts";

test("L7: a lock that another holds for too long is code 11, and names the holder", async () => {
  using leases = new LeaseDirectory();
  leases.write("lock", "");
  await using keeper = await LockKeeper.on(`${leases.path}/lock`);
  const files = new LeaseFiles({ dataDir: leases.dataDir, network: "net" });
  const error = toCniError(await openStore(files, new FakeMachine(), 50).catch((error) => error));
  expect(error.code).toBe(11);
  expect(error.message).toContain(`cannot lock "${leases.path}/lock": held by process ${keeper.pid} (`);
});
