/** cnitool and `bridgehead run` take turns: each goes on with what the other has made, by libcni's cache (rule O17). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, outcomeOf } from "../../test/support/command.ts";
import type { NamedNamespace } from "../../test/support/scratch-host.ts";
import type { JsonRecord } from "../engine/network.ts";
import type { Programs, ScratchCase } from "../scratch-lanes.ts";
import { toolCase } from "./case.ts";
import { Life, type Wanted } from "./life.ts";
import { NEIGHBOURS } from "./neighbours.ts";
import { bridgePlugin, list, NETWORK, single, type Version } from "./networks.ts";
import { type Cnitool, cachedResult, FOLDER, type ToolOptions } from "./tool.ts";

/** The compact file has no `run`, so it is started from its sources. The plugins are those that are judged. */
const OPERATOR = [process.execPath, join(import.meta.dir, "../../src/main.ts")];

/** `bridgehead run`, called where a case calls cnitool. */
const operator = ({ ours, neighbours }: Programs): Pick<Cnitool, "call"> => ({
  call: (
    command: string,
    network: string,
    { path }: NamedNamespace,
    { capabilities }: ToolOptions = {},
  ): Promise<Outcome> =>
    outcomeOf(
      [
        ...OPERATOR,
        ...["run", command.toUpperCase(), network, "--config-dir", FOLDER],
        ...(command === "status" ? [] : ["--netns", path]),
      ],
      {
        env: {
          PATH: process.env.PATH ?? "",
          CNI_PATH: `${ours}:${neighbours}`,
          ...(capabilities !== undefined && { CAP_ARGS: JSON.stringify(capabilities) }),
        },
      },
    ),
});

/** The cached file; what ADD draws anew is compared by the life itself. */
const cached = (life: Life): JsonRecord => {
  const { config, result, ...rest } = JSON.parse(
    readFileSync(cachedResult(NETWORK, life.container), "utf8"),
  ) as JsonRecord;
  const text = Buffer.from(String(config), "base64").toString();
  return { ...rest, config: JSON.parse(text), fields: Object.keys(result as JsonRecord).sort() };
};

function handover(name: string, file: string, config: JsonRecord, wanted: Wanted, options?: ToolOptions) {
  return toolCase({
    name: `handed over: ${name}, ${wanted.version}`,
    config: [file, config],
    wanted,
    ...(options !== undefined && { options }),
    run: async (tool) => {
      // host-local gives the next address to the second attachment.
      const second: Wanted = { ...wanted, addresses: { 4: "10.61.0.3" } };
      const own = new Life(tool.scene, operator(tool.scene.programs), tool.container, second, options);
      await tool.add();
      const theirs = cached(tool);
      await own.endsWell("status");
      if (wanted.version !== "0.3.1") await own.endsWell("check");
      await own.del();
      await own.add();
      tool.scene.judge.same("what is kept", cached(tool), theirs);
      await tool.check();
      await tool.del();
    },
  });
}

const bridge = bridgePlugin([4], { ipMasq: true, ipMasqBackend: "nftables" });
const { plugin: portmap, capabilities = {} } = NEIGHBOURS["portmap, nftables"];
const wanted = (version: Version): Wanted => ({ version, families: [4], backend: "nftables" });

export const HANDOVER_CASES: readonly ScratchCase[] = [
  handover("a chain", "10-net.conflist", list("1.1.0", [bridge, portmap]), wanted("1.1.0"), { capabilities }),
  handover("a single plugin", "10-net.conf", single("0.3.1", bridge), wanted("0.3.1")),
];
