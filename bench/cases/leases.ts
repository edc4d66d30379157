/** host-local alone, beside more and more leases (rule L6), in ranges of three kinds. */
import { mkdirSync, writeFileSync } from "node:fs";
import { MEASURED, NETWORK, pluginCall, type Shape } from "../attachment.ts";
import {
  type BenchCase,
  type Contender,
  type Side,
  type Step,
  type Surroundings,
  sidesOf,
  untimed,
} from "../case.ts";
import type { BenchHost } from "../host.ts";

/** Ranges, and where the n-th lease in them lies. */
interface Layout {
  readonly ranges: (size: number) => object;
  readonly address: (n: number) => string;
  /** Where the last address was taken. */
  readonly hint: (size: number) => number;
}

const ipv4 = (n: number) => `10.1.${(n + 2) >> 8}.${(n + 2) & 255}`;

const WIDE: Layout = {
  ranges: () => [[{ subnet: "10.1.0.0/16" }]],
  address: ipv4,
  hint: (size) => size - 1,
};
const IPV6: Layout = {
  ranges: () => [[{ subnet: "fd00::/64" }]],
  address: (n) => `fd00::${(n + 2).toString(16)}`,
  hint: (size) => size - 1,
};
/** Five addresses are free, right behind the last lease; the hint points in front of all leases. */
const NEARLY_FULL: Layout = {
  ranges: (size) => [[{ subnet: "10.1.0.0/16", rangeEnd: ipv4(size + 4) }]],
  address: ipv4,
  hint: () => 0,
};

/** Leases as any host-local leaves them. */
function populate(host: BenchHost, layout: Layout, size: number): void {
  const folder = `${host.folder}/networks/${NETWORK}`;
  mkdirSync(folder, { recursive: true });
  for (let n = 0; n < size; n++) {
    const id = Bun.hash(String(n)).toString(16).padStart(64, "0");
    writeFileSync(`${folder}/${layout.address(n)}`, `${id}\r\neth0`, { mode: 0o600 });
  }
  writeFileSync(`${folder}/last_reserved_ip.0`, layout.address(layout.hint(size)));
}

/** A network with so many leases on a host of its own, and ADD and DEL beside them. */
async function beside(
  { host }: Surroundings,
  [side, folder]: readonly [Side, string],
  layout: Layout,
  size: number,
): Promise<Contender & { readonly steps: readonly [Step, Step] }> {
  const place = await host(`${side}-${size}`);
  populate(place, layout, size);
  const shape: Shape = {
    name: "host-local",
    config: { ipam: { type: "host-local", ranges: layout.ranges(size) } },
  };
  const step = (command: string): Step => ({
    name: command,
    programs: () => [
      pluginCall(command, {
        ...{ folder, plugin: "host-local", shape, number: MEASURED, netns: "elsewhere" },
      }),
    ],
  });
  const variant = `${size.toLocaleString("en")} leases`;
  return { side, variant, size, host: place, steps: [step("ADD"), step("DEL")] };
}

const leases = (name: string, what: string, layout: Layout, fullOnly: boolean): BenchCase => ({
  name,
  title: `host-local alone, ${what}`,
  seconds: 30,
  rounds: 30,
  quickRounds: 8,
  census: true,
  fullOnly,
  open: async (surroundings) => {
    const contenders: Contender[] = [];
    for (const size of surroundings.quick ? [10, 10_000] : [10, 1000, 10_000]) {
      const copies = size === 10 ? "with copies" : "without copies";
      for (const side of sidesOf(surroundings.programs, copies)) {
        contenders.push(await beside(surroundings, side, layout, size));
      }
    }
    return contenders;
  },
});

/** Ours forgets its index before each ADD, as if another host-local had been there. The reference has none. */
const SCAN: BenchCase = {
  name: "leases-scan",
  title: "host-local alone, a /16 without an index",
  seconds: 20,
  rounds: 20,
  quickRounds: 5,
  open: async (surroundings) => {
    const contenders: Contender[] = [];
    for (const side of sidesOf(surroundings.programs, "without copies")) {
      const contender = await beside(surroundings, side, WIDE, 10_000);
      const [add, del] = contender.steps;
      const forget: Step = {
        name: "forget",
        untimed: true,
        programs: () => [{ argv: ["/bin/rm", "-rf", "/var/lib/cni/networks/.bridgehead"] }],
      };
      contenders.push({ ...contender, steps: [forget, add, untimed(del)] });
    }
    return contenders;
  },
};

export const LEASES: readonly BenchCase[] = [
  leases("leases", "a /16", WIDE, false),
  leases("leases-ipv6", "a /64", IPV6, true),
  leases("leases-nearly-full", "a range that is nearly full", NEARLY_FULL, true),
  SCAN,
];
