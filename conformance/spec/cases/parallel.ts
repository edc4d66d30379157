/** Calls at the same time: rule A41. */
import { hostLocal, type JsonRecord, network } from "../../engine/network.ts";
import { spec } from "../case.ts";

const CROWD = Array.from({ length: 10 }, (_, index) => `p${index}`);

spec(
  "A41: ADDs of different containers at the same time, and DELs (bridge)",
  { containers: CROWD, compared: false },
  async (bench) => {
    const config = network({ ipMasq: true });
    const added = await Promise.all(
      CROWD.map((container) => bench.call("ADD", config, { container, label: `ADD ${container}` })),
    );
    for (const answer of added) bench.accepted(answer);
    const ips = added.flatMap(({ document }) =>
      ((document?.ips ?? []) as JsonRecord[]).map(({ address }) => address),
    );
    bench.is("different addresses", new Set(ips).size, CROWD.length);
    bench.is("leases", bench.leases().length, CROWD.length);
    const checked = await Promise.all(
      CROWD.map((container, index) =>
        bench.call("CHECK", config, { container, label: `CHECK ${container}`, after: added[index] as never }),
      ),
    );
    for (const answer of checked) bench.accepted(answer);
    const deleted = await Promise.all(
      CROWD.map((container) => bench.call("DEL", config, { container, label: `DEL ${container}` })),
    );
    for (const answer of deleted) bench.accepted(answer);
    bench.is("leases at the end", bench.leases(), []);
    const veths = [...(await bench.links()).keys()].filter((name) => name.startsWith("veth"));
    bench.is("veths at the end", veths, []);
  },
);

const MANY = Array.from({ length: 30 }, (_, index) => `m${index}`);

spec("A41: leases taken and given back at the same time (host-local)", { compared: false }, async (bench) => {
  const config = network({ ipam: hostLocal(["10.10.0.0/24", "fd00:10::/64"]) });
  const life = async (id: string, keep: boolean) => {
    const added = await bench.accepts("ADD", config, { plugin: "host-local", id, label: `ADD ${id}` });
    if (!keep) await bench.accepts("DEL", config, { plugin: "host-local", id, label: `DEL ${id}` });
    return keep ? ((added.document?.ips ?? []) as JsonRecord[]).map(({ address }) => String(address)) : [];
  };
  const kept = (await Promise.all(MANY.map((id, index) => life(id, index % 2 === 0)))).flat();
  const addresses = kept.map((address) => address.replace(/\/\d+$/, ""));
  bench.is("leases", bench.leases().sort(), addresses.sort());
  bench.is("two for each that is left", new Set(addresses).size, MANY.length);
});

spec(
  "A41: at the same time (loopback)",
  { containers: CROWD.slice(0, 5), compared: false },
  async (bench) => {
    for (const command of ["ADD", "CHECK", "DEL"]) {
      const calls = CROWD.slice(0, 5).map((container) =>
        bench.call(command, network(), { plugin: "loopback", container, label: `${command} ${container}` }),
      );
      for (const answer of await Promise.all(calls)) bench.accepted(answer);
    }
  },
);
