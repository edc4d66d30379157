/**
 * Messages that differ in some ports only: they are not encoded one by one. Two of them are, with ports that differ in every
 * byte, and their difference shows where each byte of a port stands. The others are copies with the bytes of their own.
 */

/** A message with these ports, which are numbers of two bytes. */
export type Stencil = (ports: readonly number[]) => Uint8Array;

/** The bytes of the first message's ports count from 1; those of the second have this bit, too. */
const OTHER = 0x80;

/**
 * Makes a stencil for up to 63 ports. `encode` must put each byte of a port into the message as it is, any number of times and
 * in any order, and must do nothing else with it.
 */
export function stencil(encode: Stencil, count: number): Stencil {
  const portsWith = (mask: number): number[] =>
    Array.from(
      { length: count },
      (_, index) => ((2 * index + 1) << 8) | (2 * index + 2) | (mask << 8) | mask,
    );
  const message = encode(portsWith(0));
  const other = encode(portsWith(OTHER));
  // Three numbers for each byte of a port: its place in the message, its port's index, and how far the port is shifted.
  const places: number[] = [];
  for (let at = 0; at < message.length; at++) {
    const byte = message[at] as number;
    if (byte !== other[at]) places.push(at, (byte - 1) >> 1, (byte & 1) << 3);
  }
  return (ports) => {
    const copy = message.slice();
    for (let index = 0; index < places.length; index += 3)
      copy[places[index] as number] =
        (ports[places[index + 1] as number] as number) >>> (places[index + 2] as number);
    return copy;
  };
}
