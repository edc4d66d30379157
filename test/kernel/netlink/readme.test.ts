/** The example in README of src/netlink runs as it stands there, and `ip` sees what it did. */
import { expect } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostTest } from "../../support/host-test.ts";
import { PROJECT } from "../../support/test-files.ts";

const ROOM = join(PROJECT, "src/netlink");

hostTest("the example of src/netlink/README.md", async (host) => {
  const readme = await readFile(join(ROOM, "README.md"), "utf8");
  const [, code = "", printed = ""] = /^```ts\n(.*?)^```.*?^```\n(.*?)^```/ms.exec(readme) ?? [];
  const folder = await mkdtemp(join(tmpdir(), "netlink-readme-"));
  try {
    const file = join(folder, "example.ts");
    await writeFile(file, code.replaceAll('from "./', `from "${ROOM}/`));
    expect(await host.run(`cd ${PROJECT} && ${process.execPath} ${file}`)).toBe(printed);
    const [link] = await host.json<{ ifname: string; link: string; addr_info: { local: string }[] }[]>(
      "ip -j address show dev left",
    );
    expect(link).toMatchObject({ ifname: "left", link: "right" });
    expect(link?.addr_info.map(({ local }) => local)).toContain("10.1.2.3");
  } finally {
    await rm(folder, { recursive: true });
    await host.run("ip link delete left");
  }
});
