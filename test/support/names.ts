/** Names as a runtime may send them, from one character to the longest, and pairs of them that are one when joined. */
import fc from "fast-check";

/** The longest container id: what Linux lets through in an environment variable is 128 KiB, name and NUL included. */
export const LONGEST_ID = 128 * 1024 - "CNI_CONTAINERID=".length - 1;
/** The longest name of a network: that of a file. */
export const LONGEST_NETWORK = 255;

/** The seed of a property test, for running it again: BRIDGEHEAD_SEED. */
export const seeded = (numRuns: number) => {
  const { BRIDGEHEAD_SEED: seed } = process.env;
  // A host is not as it was after a failure: smaller examples would fail for that.
  return { numRuns, endOnFailure: true, ...(seed !== undefined && { seed: Number(seed) }) };
};

/** A text that may be a network's name or a container's id, wherever it is cut. */
const joined = (length: fc.Arbitrary<number>): fc.Arbitrary<string> =>
  fc
    .tuple(length, fc.string({ unit: fc.constantFrom(..."abcXYZ0189"), minLength: 1, maxLength: 9 }))
    .map(([length, seed]) => seed.repeat(Math.ceil(length / seed.length)).slice(0, length));

/** Lengths around which something is cut, and some between. */
const lengths = fc.oneof(
  fc.integer({ min: 3, max: 20 }),
  fc.integer({ min: 100, max: 140 }),
  fc.integer({ min: 220, max: 290 }),
  fc.constantFrom(600, 1024, 10_240, LONGEST_ID),
);

export interface Container {
  readonly network: string;
  readonly containerId: string;
}

/** Two containers of two networks whose names are the same when joined. */
export const collidingContainers: fc.Arbitrary<[Container, Container]> = joined(lengths).chain((text) => {
  const most = Math.min(text.length - 1, LONGEST_NETWORK);
  return fc
    .uniqueArray(fc.integer({ min: 1, max: most }), { minLength: 2, maxLength: 2 })
    .map((cuts): [Container, Container] => {
      const [one, two] = cuts.map((at) => ({ network: text.slice(0, at), containerId: text.slice(at) }));
      if (one === undefined || two === undefined) throw new Error("two cuts were asked for");
      return [one, two];
    });
});

interface Attachment extends Container {
  readonly ifname: string;
}

/**
 * Two attachments whose container and interface are the same when joined with "-", or which differ in the network alone,
 * or of which one is called as the other with "-mac".
 */
export const collidingAttachments = (names: fc.Arbitrary<string>): fc.Arbitrary<[Attachment, Attachment]> =>
  fc
    .record({
      text: joined(lengths),
      ifname: names.filter((name) => new TextEncoder().encode(name).length <= 9),
      kind: fc.constantFrom("joined", "network", "mac"),
    })
    .map(({ text, ifname, kind }) => {
      const containerId = text.slice(0, LONGEST_ID - 2);
      const one = { network: "net1", containerId, ifname };
      const shorter = { network: "net1", containerId: `${containerId}-a`, ifname };
      if (kind === "joined") return [shorter, { ...one, ifname: `a-${ifname}` }];
      return kind === "network"
        ? [one, { ...one, network: "net2" }]
        : [one, { ...one, ifname: `${ifname}-mac` }];
    });

/** Bytes that the kernel takes for white space in an interface's name, whatever character they are part of. */
const KERNEL_SPACE = /[\t-\r \xa0]/;

/** Whether the kernel takes a text for an interface's name, and the protocol too. */
export const isInterfaceName = (text: string): boolean => {
  const bytes = new TextEncoder().encode(text);
  return (
    bytes.length >= 1 &&
    bytes.length <= 15 &&
    !/[/:%\0\p{White_Space}]/u.test(text) &&
    !KERNEL_SPACE.test(new TextDecoder("latin1").decode(bytes)) &&
    ![".", "..", "all", "default", "lo"].includes(text) &&
    text.isWellFormed()
  );
};

/** Names of interfaces: plain ones, ones that other programs' languages take for something else, and any Unicode. */
export const interfaceNames: fc.Arbitrary<string> = fc
  .oneof(
    fc.constantFrom(
      ...["e", "eth0", "eth0-mac", "-", "--", "-j", "!", "]", '"', "\\", 'a"b', "a\\", "'", "$(x)"],
      ...["#", ";"],
    ),
    fc.constantFrom(
      ...["\u{1f600}", "\ufeff", "a\ufeff", "\u200b", "\u0001", "\u007f", "é", "…", "*", "eth*"],
      ...["@if2", "{"],
    ),
    fc.string({ unit: "binary", minLength: 1, maxLength: 15 }),
    fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 15 }),
  )
  .filter(isInterfaceName);
