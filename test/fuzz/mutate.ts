/** Turns what is valid into what is nearly valid: bytes by bytes, documents by their structure. */
import type { Chance } from "./chance.ts";

/** Texts that mean something somewhere: to a parser of addresses, a file system, a shell, the kernel, JSON. */
export const ODD_TEXTS: readonly string[] = [
  ...["", " ", "\0", "..", "../../etc", "/", "a/b", "-", "--help", "eth%d", "lo", "all", "default"],
  ...["x".repeat(16), "x".repeat(300), "10.0.0.1", "10.0.0.0/8", "10.0.0.1/33", "010.0.0.1"],
  ...["10.0.0.1...", "0.0.0.0/0", "255.255.255.255/32", "fd00::1", "fd00::/64", "::/0"],
  ...["::ffff:10.0.0.1", "fe80::1%eth0", "1::2::3", "02:00:00:00:00:01", "ff:ff:ff:ff:ff:ff"],
  ...["0.2.0", "1.1.0", "1.1", "99.0.0", "bridge", "host-local", "__proto__", "constructor", "K=V"],
  ...["IP=10.0.0.9;IgnoreUnknown=1", "é\u{1f600}", "\ud800", "\r\n", '"', "\\", "$(reboot)"],
];

const ODD_VALUES: readonly unknown[] = [
  ...ODD_TEXTS,
  ...[null, true, false, 0, -1, 1, 1.5, 67, 4094, 4095, 65536, 2 ** 31, 2 ** 53, 1e308, [], {}, [[]]],
  ...[[null], [{}], { id: 5 }],
];

/** A copy: what one case does to it must not reach the next. */
const oddValue = (chance: Chance): unknown => structuredClone(chance.of(ODD_VALUES));

/** A copy of a JSON value with `changes` of its nodes altered, removed, added, moved or made deep. */
export function mutateDocument(chance: Chance, document: unknown, changes: number): unknown {
  const root = { document: structuredClone(document) };
  for (let change = 0; change < changes; change++) {
    const places = placesOf(root);
    if (places.length === 0) break;
    const { holder, key } = chance.of(places);
    alter(chance, holder, key, places);
  }
  // As it would come from outside: an array has no keys of its own, and no undefined.
  return JSON.parse(JSON.stringify(root.document ?? null));
}

type Holder = Record<string, unknown>;
interface Place {
  readonly holder: Holder;
  readonly key: string;
}

function placesOf(value: unknown): Place[] {
  if (typeof value !== "object" || value === null) return [];
  const holder = value as Holder;
  return Object.keys(holder).flatMap((key) => [{ holder, key }, ...placesOf(holder[key])]);
}

/** As JSON.parse() does it: a key "__proto__" is one as any other. */
const put = (holder: Holder, key: string, value: unknown): void =>
  void Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });

function alter(chance: Chance, holder: Holder, key: string, places: readonly Place[]): void {
  switch (chance.below(7)) {
    case 0:
      delete holder[key];
      break;
    case 1: {
      const other = chance.of(places);
      put(holder, key, structuredClone(other.holder[other.key]));
      break;
    }
    case 2:
      put(holder, chance.oneIn(2) ? key.toUpperCase() : chance.of(ODD_TEXTS), oddValue(chance));
      break;
    case 3: {
      const value = holder[key];
      if (Array.isArray(value)) value.push(structuredClone(value[0] ?? oddValue(chance)));
      else put(holder, key, [value]);
      break;
    }
    case 4: {
      let deep = holder[key];
      for (let level = chance.below(60); level > 0; level--) deep = chance.oneIn(2) ? [deep] : { a: deep };
      put(holder, key, deep);
      break;
    }
    default:
      put(holder, key, oddValue(chance));
  }
}

/** A copy of bytes, cut, lengthened, or with some of them changed. */
export function mutateBytes(chance: Chance, bytes: Uint8Array): Uint8Array {
  const end = chance.oneIn(4) ? chance.below(bytes.length + 1) : bytes.length;
  const extra = chance.oneIn(6) ? chance.bytes(chance.below(40)) : new Uint8Array();
  const mutated = new Uint8Array(end + extra.length);
  mutated.set(bytes.subarray(0, end));
  mutated.set(extra, end);
  for (let change = chance.below(5); change > 0 && mutated.length > 0; change--) {
    mutated[chance.below(mutated.length)] = chance.oneIn(3)
      ? chance.of([0, 1, 4, 127, 128, 255])
      : chance.below(256);
  }
  return mutated;
}

/** Text made of pieces that mean something. */
export function oddText(chance: Chance): string {
  if (chance.oneIn(3)) return chance.of(ODD_TEXTS);
  let text = "";
  for (let count = chance.below(6); count > 0; count--) {
    text += chance.oneIn(4)
      ? chance.of(ODD_TEXTS)
      : String.fromCharCode(chance.below(chance.oneIn(5) ? 0x3000 : 127));
  }
  return text;
}
