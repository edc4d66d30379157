import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseResolvConf, readResolvConf } from "../../../src/plugins/host-local/resolv-conf.ts";
import { thrownBy } from "../../cni/fake-host.ts";

test("H55: nameservers, searches and options accumulate, and the last domain counts", () => {
  const text = [
    "# comment",
    "; another",
    "nameserver 192.0.2.1",
    "\tnameserver   192.0.2.2 # ignored",
    "domain first.example",
    "domain second.example",
    "search a.example b.example",
    "search c.example",
    "options ndots:2",
    "options timeout:1 rotate",
    "sortlist 1.2.3.4",
    "nameserver",
    "",
  ].join("\n");
  expect(parseResolvConf(text)).toEqual({
    nameservers: ["192.0.2.1", "192.0.2.2"],
    domain: "second.example",
    search: ["a.example", "b.example", "c.example"],
    options: ["ndots:2", "timeout:1", "rotate"],
  });
});

test("H55: a comment sign inside a line is a value, as for the reference", () => {
  expect(parseResolvConf("search a #b")).toEqual({ search: ["a", "#b"] });
});

test("H55: an empty file gives an empty result", () => {
  expect(parseResolvConf("")).toEqual({});
});

test("H55: a file that can't be read is an error that names it", () => {
  const folder = mkdtempSync(join(tmpdir(), "resolv-"));
  try {
    writeFileSync(join(folder, "resolv.conf"), "nameserver 192.0.2.1\r\n");
    expect(readResolvConf(join(folder, "resolv.conf"))).toEqual({ nameservers: ["192.0.2.1"] });
    for (const path of [join(folder, "missing"), folder]) {
      expect(thrownBy(() => readResolvConf(path))).toMatchObject({
        code: 5,
        message: expect.stringContaining("resolvConf"),
      });
    }
    expect(thrownBy(() => readResolvConf(join(folder, "missing"))).message).toContain(
      join(folder, "missing"),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
