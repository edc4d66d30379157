/** The loopback plugin, as a single configuration and as a list of every version. */
import { VERSIONS } from "../engine/network.ts";
import { describeOutcome } from "../kernel-facts.ts";
import type { ScratchCase } from "../scratch-lanes.ts";
import { toolCase } from "./case.ts";
import type { Life } from "./life.ts";
import { isAtLeast, list, single, type Version } from "./networks.ts";
import type { Cnitool } from "./tool.ts";

function expected(version: Version, sandbox: string): object {
  if (!isAtLeast(version, "0.3.0"))
    return { cniVersion: version, ip4: { ip: "127.0.0.1/8" }, ip6: { ip: "::1/128" }, dns: {} };
  const families = isAtLeast(version, "1.0.0") ? [{}, {}] : [{ version: "4" }, { version: "6" }];
  return {
    cniVersion: version,
    interfaces: [{ name: "lo", mac: "00:00:00:00:00:00", sandbox }],
    ips: [
      { ...families[0], interface: 0, address: "127.0.0.1/8" },
      { ...families[1], interface: 0, address: "::1/128" },
    ],
    ...(isAtLeast(version, "1.0.0") ? {} : { dns: {} }),
  };
}

const isUp = async ({ container }: Life): Promise<boolean> =>
  (await container.json<{ flags: string[] }[]>("ip -j link show lo"))[0]?.flags.includes("UP") === true;

async function live(life: Life, tool: Cnitool, version: Version): Promise<void> {
  const { judge } = life.scene;
  const { container } = life;
  const options = { ifname: "lo" };
  const call = (command: string) => tool.call(command, "lo", container, options);
  await container.run("ip link set lo down");
  const added = await call("add");
  judge.require("add", added.exitCode === 0, describeOutcome(added));
  judge.same("result", JSON.parse(added.stdout), expected(version, container.path));
  judge.same("lo is up", await isUp(life), true);
  const checked = await call("check");
  judge.same("check", checked.exitCode, isAtLeast(version, "0.4.0") ? 0 : 1);
  for (const command of ["status", "del", "del", "gc"]) {
    const { exitCode, stdout, stderr } = await call(command);
    judge.same(command, [exitCode, stdout, stderr], [0, "", ""]);
    judge.same(`lo is up after ${command}`, await isUp(life), command === "status");
  }
  if (!isAtLeast(version, "0.4.0")) return;
  await call("add");
  await container.run("ip link set lo down");
  const lost = await call("check");
  judge.same("check of a lo that is down", lost.exitCode, 1);
  judge.says("check of a lo that is down", lost.stderr, /loopback interface is down/);
  judge.same("last del", (await call("del")).exitCode, 0);
}

export const LOOPBACK_CASES: readonly ScratchCase[] = VERSIONS.flatMap((version) =>
  ["conf", "conflist"].map((form) =>
    toolCase({
      name: `loopback, ${form}, ${version}`,
      config: [
        `99-loopback.${form}`,
        form === "conf"
          ? single(version, { type: "loopback" }, "lo")
          : list(version, [{ type: "loopback" }], "lo"),
      ],
      wanted: { version, families: [] },
      run: (life, tool) => live(life, tool, version),
    }),
  ),
);
