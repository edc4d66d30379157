/** O14: attachments are repaired in the order of their ADDs, so that the newest one of a port has it afterwards too. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FoundAttachment } from "../../src/operator/attachments.ts";
import { patientsOf } from "../../src/operator/repair/patient.ts";

test("O14: the times of the cache's files tell the order, and a file that is gone is no attachment", () => {
  const folder = mkdtempSync(join(tmpdir(), "cache-"));
  try {
    const attachmentOf = (containerId: string, time: number | undefined): FoundAttachment => {
      const file = join(folder, containerId);
      if (time !== undefined) {
        writeFileSync(file, "");
        utimesSync(file, time, time);
      }
      const names = { network: "net1", containerId, ifname: "eth0" };
      const missing = { netns: undefined, config: undefined, result: undefined };
      const cached = { ...names, ...missing, file, cniArgs: [], capabilityArgs: {} };
      return { ...names, cached, leases: [], links: [], netns: undefined, rules: [] };
    };
    const attachments = [
      attachmentOf("a", 3000),
      attachmentOf("b", 1000),
      attachmentOf("c", undefined),
      attachmentOf("d", 2000),
    ];
    const all = patientsOf({ attachments, links: [] }, () => {});
    expect(all.map(({ attachment }) => attachment.containerId)).toEqual(["b", "d", "a"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("O14: an attachment without any of the plugins whose losses are known is judged by its namespace", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cache-"));
  try {
    const names = { network: "cni-loopback", containerId: "a", ifname: "lo" };
    const file = join(folder, "a");
    writeFileSync(file, "");
    const config = { cniVersion: "1.1.0", name: "cni-loopback", plugins: [{ type: "loopback" }] };
    const result = { cniVersion: "1.1.0", interfaces: [{ name: "lo", sandbox: "/run/netns/a" }] };
    const cached = { ...names, config, result, netns: "/run/netns/a", file, cniArgs: [], capabilityArgs: {} };
    const found = { ...names, cached, leases: [], links: [], netns: undefined, rules: [] };
    const all = patientsOf({ attachments: [found], links: [] }, () => {});
    expect(await all[0]?.look(all)).toEqual({ state: "left", why: "its namespace /run/netns/a is gone" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
