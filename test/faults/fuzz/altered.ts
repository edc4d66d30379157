/** What the fuzzers of whole calls alter, so that it stays in the scratch host, and what they plant in the lease folder. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import type { Chance } from "../../fuzz/chance.ts";
import { mutateBytes, ODD_TEXTS } from "../../fuzz/mutate.ts";

export const LEASES = "/var/lib/cni/networks";
/** What a planted link leads to: it may not be followed for writing. */
export const OUTSIDE = "/var/lib/outside";

const decoder = new TextDecoder();

/** A configuration that keeps its leases in the scratch host, whatever else it says. */
export function confined(stdin: Uint8Array): Uint8Array {
  const text = decoder.decode(stdin);
  return /datadir/i.test(text)
    ? new TextEncoder().encode(text.replaceAll(/("datadir"\s*:\s*)("(?:[^"\\]|\\.)*")/gi, `$1"${LEASES}"`))
    : stdin;
}

/** Puts something into the lease folder that no plugin put there. @returns whether it did */
export function plant(chance: Chance): boolean {
  const folder = `${LEASES}/${chance.of(["net", "mybridge", "vlans", "spoof"])}`;
  const names = [`10.88.0.${chance.below(9)}`, "10.15.20.12", "last_reserved_ip.0", "fd00::2", ...ODD_TEXTS];
  const name = chance.of(names);
  if (name.length > 100 || /[/\0]/.test(name) || ["", ".", ".."].includes(name)) return false;
  try {
    mkdirSync(folder, { recursive: true });
    const lease = mutateBytes(chance, new TextEncoder().encode("container-1\r\neth0"));
    if (chance.oneIn(4)) symlinkSync(OUTSIDE, `${folder}/${name}`);
    // Not through a link that was planted before.
    else writeFileSync(`${folder}/${name}`, lease, { flag: "wx" });
    return true;
  } catch {
    // Something of that name is there.
    return false;
  }
}
