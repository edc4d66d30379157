/**
 * One side of the comparison, in a scratch host of its own. The programs of a folder, or of both in turn, stand at one
 * path, as an operator would swap them in the middle of an attachment's life. Started by ../compare.ts.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { normal } from "../../../conformance/engine/aliases.ts";
import { Host, type RawState } from "../../../conformance/engine/host.ts";
import { netnsPath, PLUGIN_PATH } from "../../../conformance/engine/network.ts";
import type { StepObservation } from "../../../conformance/engine/observation.ts";
import { Chance } from "../../fuzz/chance.ts";
import { mutateBytes } from "../../fuzz/mutate.ts";
import { outcomeOf, outputOf } from "../../support/command.ts";
import { eventually } from "../../support/eventually.ts";
import { answerEach } from "../../support/lane.ts";
import { LEASES, OUTSIDE, plant } from "../fuzz/altered.ts";
import { leaseFacts, withoutNumbers } from "./lease-facts.ts";
import { CONTAINER, type SequenceStep, sequenceOf } from "./sequence.ts";

/** Which programs a side runs: the first, the second, or one of both by chance before each call. */
export type Programs = "first" | "second" | "mixed";

export interface CompareTask {
  readonly seed: number;
  readonly programs: Programs;
}

/** A step, with what the state of conformance/engine does not have. */
export interface SideStep extends StepObservation {
  readonly leases: readonly string[];
  /** Which programs ran, and the call as it can be made again. */
  readonly ran: string;
}

export interface SideReport {
  readonly steps: readonly SideStep[];
  readonly trouble?: string;
}

const [first = "", second = ""] = process.argv.slice(2);
const FOLDER = PLUGIN_PATH.slice(0, PLUGIN_PATH.lastIndexOf("/"));
const decoder = new TextDecoder();

await outputOf(["mount", "-o", "remount,bind,ro", "/"]);
mkdirSync(FOLDER, { recursive: true });
await answerEach(async (question): Promise<SideReport> => {
  const { seed, programs } = JSON.parse(question) as CompareTask;
  const steps: SideStep[] = [];
  const host = await Host.open([CONTAINER]);
  writeFileSync(OUTSIDE, "outside");
  try {
    const sequence = sequenceOf(seed, netnsPath(CONTAINER), PLUGIN_PATH);
    const swap = new Chance(seed ^ 0x5eed);
    let result: string | undefined;
    for (const [index, step] of sequence.entries()) {
      const isSecond = programs === "second" || (programs === "mixed" && swap.oneIn(2));
      rmSync(PLUGIN_PATH, { force: true });
      symlinkSync(isSecond ? second : first, PLUGIN_PATH);
      if (step.before !== undefined) await happen(host, step, step.before);
      const stdin = step.stdin(result);
      const outcome = await host.call([`${PLUGIN_PATH}/${step.plugin}`], step.variables, { stdin });
      const { exitCode, stdout, stderr } = outcome;
      if (exitCode === 0 && step.variables.CNI_COMMAND === "ADD") result = stdout;
      const words = `${step.plugin} ${JSON.stringify(step.variables)} ${decoder.decode(stdin)}`;
      steps.push({
        label: `${index + 1} ${step.command}`,
        ...{ exitCode, stdout, stderr },
        ran: `${isSecond ? "second" : "first"}: ${step.before ?? ""} ${words}`,
        leases: leaseFacts(LEASES),
        ...(((step.looks && exitCode === 0) || index === sequence.length - 1) && {
          state: withoutChoices(await host.capture()),
        }),
      });
    }
    return { steps };
  } catch (error) {
    return { steps, trouble: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  } finally {
    await host.close();
  }
});

/** What tuning saves has the record of the namespace, and the MAC that the kernel chose. */
function withoutChoices(state: RawState): RawState {
  return {
    ...state,
    files: Object.fromEntries(
      Object.entries(state.files).map(([path, file]) => [
        path,
        file.content === undefined || !path.startsWith("/run/cni/")
          ? file
          : { ...file, content: normal(withoutNumbers(file.content)) },
      ]),
    ),
  };
}

async function happen(host: Host, { chance }: SequenceStep, event: SequenceStep["before"]): Promise<void> {
  if (event === "plant") plant(chance);
  else if (event === "delete the namespace") await deleteNamespace(host);
  else if (existsSync(LEASES)) {
    for (const name of readdirSync(LEASES, { recursive: true, encoding: "utf8" }).sort()) {
      const path = `${LEASES}/${name}`;
      if (name.endsWith(".index")) writeFileSync(path, mutateBytes(chance, readFileSync(path)));
    }
  }
}

/**
 * The kernel takes the links of a namespace away some time after its name is gone, and with them the other ends of its pairs
 * on the host. The next call would find them on one host and not on the other.
 */
async function deleteNamespace(host: Host): Promise<void> {
  // As text: of a bridge with an odd name `ip -j` prints no JSON.
  const pairs = () => host.run("ip -o link show type veth");
  await outcomeOf(["ip", "netns", "delete", CONTAINER]);
  const areGone = async () => !/link-netns/.test(await pairs());
  await eventually("the pairs of the deleted namespace are gone", areGone, { state: pairs });
}
