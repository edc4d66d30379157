import { expect, test } from "bun:test";
import fc from "fast-check";
import { stencil } from "../../../src/netlink/nftables/stencil.ts";

const port = fc.integer({ min: 0, max: 0xffff });

test("a stencil makes the message that its encoder makes, wherever the bytes of its ports stand", () => {
  const place = fc.record({ index: fc.integer({ min: 0, max: 2 }), isHigh: fc.boolean() });
  const byte = fc.oneof(place, fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 40 }), fc.array(fc.tuple(port, port, port)), (layout, all) => {
      const encode = (ports: readonly number[]): Uint8Array =>
        Uint8Array.from(layout, (each) => {
          if (typeof each === "number") return each;
          const value = ports[each.index] ?? 0;
          return each.isHigh ? value >>> 8 : value;
        });
      const fill = stencil(encode, 3);
      for (const ports of all) expect(fill(ports)).toEqual(encode(ports));
    }),
  );
});
