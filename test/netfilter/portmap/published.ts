/** Published ports for property tests: few addresses and protocols, so that many mappings have the same shape. */
import fc from "fast-check";
import type { Family } from "../../../src/net/ip.ts";
import type { Mapping, Published } from "../../../src/netfilter/portmap/published.ts";

const port = fc.integer({ min: 1, max: 65535 });

const mapping = (family: Family): fc.Arbitrary<Mapping> =>
  fc.record({
    protocol: fc.constantFrom("tcp", "udp", "sctp"),
    hostPort: port,
    containerPort: port,
    hostIp: fc.option(
      fc.integer({ min: 0, max: 2 }).map((value) => ({ family, value: BigInt(value) })),
      { nil: undefined },
    ),
  });

export const published: fc.Arbitrary<{ readonly family: Family; readonly each: Published }> = fc
  .constantFrom<Family>(4, 6)
  .chain((family) =>
    fc
      .record({
        ...{ snat: fc.boolean(), masqAll: fc.boolean(), length: fc.constantFrom(8, 16, 20, 24) },
        mappings: fc.array(mapping(family), { maxLength: 25 }),
      })
      .map(({ length, ...keys }) => ({
        family,
        each: {
          ...{ network: "net1", containerId: "c1", ifname: "eth0", record: "", markBit: 13, conditions: {} },
          addresses: { [family]: { address: { family, value: 0x0a010203n }, length } },
          ...keys,
        },
      })),
  );
