/** An ADD of tuning that is killed at any moment: DEL gives back what was there, and leaves no file. */
import { expect } from "bun:test";
import { FORMER, MAC, prepare, tuningTest } from "./tuned.ts";

const KEYS = {
  mac: MAC,
  promisc: true,
  mtu: 1400,
  allmulti: true,
  txQLen: 500,
  sysctl: { "net.ipv4.conf.IFNAME.arp_filter": "1" },
};

/** More than an ADD has of any of them. */
const MOST = 60;

tuningTest("T33: GC removes what a killed ADD has saved", async (host) => {
  const one = await prepare(host);
  const valid = { "cni.dev/valid-attachments": [{ containerID: "another", ifname: "eth0" }] };
  for (const call of ["openat", "write", "linkat", "renameat"]) {
    for (let when = 1, isKilled = true; isKilled; when++) {
      const inject = `inject=${call}:signal=KILL:when=${when}`;
      const strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${call}`, "-e", inject];
      isKilled = (await one.call("ADD", KEYS, {}, strace)).exitCode !== 0;
      expect(`${await one.call("GC", valid)}`).toStartWith("exit code 0");
      const left = await host.run("find /run -path '/run/cni/*' -type f");
      expect([call, when, left]).toEqual([call, when, ""]);
      await one.silent("DEL");
    }
  }
});

tuningTest.each(["sendto", "setns", "write", "linkat,renameat,mkdirat,unlinkat"])(
  "T9, T33: killed at each %s",
  async (host, calls) => {
    const one = await prepare(host);
    for (let when = 1; when < MOST; when++) {
      const inject = `inject=${calls}:signal=KILL:when=${when}`;
      const strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", `trace=${calls}`, "-e", inject];
      const outcome = await one.call("ADD", KEYS, {}, strace);
      await one.silent("DEL");
      expect([when, await one.shown()]).toEqual([when, FORMER]);
      expect(await host.run("find /run -path '/run/cni/*' -type f")).toBe("");
      if (outcome.exitCode === 0) {
        // At least once it was killed, and in the end not any more.
        expect(when).toBeGreaterThan(1);
        return;
      }
    }
    throw new Error(`${MOST} of ${calls}`);
  },
);
