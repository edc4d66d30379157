/** Messages of D-Bus: as another client writes them, and as a bus and firewalld answer. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeMessage,
  encodeCall,
  HEADER_LENGTH,
  messageLength,
} from "../../../src/netfilter/firewalld/message.ts";
import { DecodeError } from "../../../src/netlink/error.ts";

/** Captured with strace from `dbus-send`, and from the answers of dbus-daemon 1.14 and firewalld 1.3.3. */
const CALL =
  "6c0100011c00000002000000a000000001016f001d0000002f6f72672f6665646f726170726f6a6563742f4669726577616c6c443100000002017300210000006f72672e6665646f726170726f6a6563742e4669726577616c6c44312e7a6f6e65000000000000000301730009000000616464536f7572636500000000000000060173001c0000006f72672e6665646f726170726f6a6563742e4669726577616c6c44310000000008016700027373000700000074727573746564000b00000031302e312e322e332f333200";
const ANSWERS = {
  text: "6c02010109000000030000003d00000006017300050000003a312e31300000000501750002000000080167000173000007017300140000006f72672e667265656465736b746f702e4442757300000000040000003a312e3000",
  boolean:
    "6c02010104000000570100002d00000006017300040000003a312e37000000000501750002000000080167000162000007017300040000003a312e300000000001000000",
  list: "6c02010124000000590100002d00000006017300040000003a312e38000000000501750002000000080167000261730007017300040000003a312e3000000000200000000b00000031302e312e322e332f3332000b000000666430303a3a332f31323800",
  error:
    "6c030101150000005b0100005d00000006017300040000003a312e390000000004017300260000006f72672e6665646f726170726f6a6563742e4669726577616c6c44312e457863657074696f6e00000501750002000000080167000173000007017300040000003a312e300000000010000000494e56414c49445f5a4f4e453a207a7a00",
} as const;

const bytes = (hex: string): Uint8Array => Uint8Array.fromHex(hex);

test("F14: a call has the bytes that dbus-send writes", () => {
  const call = {
    destination: "org.fedoraproject.FirewallD1",
    path: "/org/fedoraproject/FirewallD1",
    interface: "org.fedoraproject.FirewallD1.zone",
    member: "addSource",
    texts: ["trusted", "10.1.2.3/32"],
  };
  const ours = encodeCall(call, 2);
  // dbus-send lets the service be started, and has its own order of the header's fields.
  expect(sortedFields(ours)).toEqual(sortedFields(bytes(CALL)));
  expect(ours.length).toBe(bytes(CALL).length);
  expect(messageLength(ours)).toBe(ours.length);
});

/** Flags aside: the fixed header, the header's fields in the order of their codes, and the body. */
function sortedFields(message: Uint8Array): string[] {
  const fields: string[] = [];
  const view = new DataView(message.buffer, message.byteOffset);
  const end = HEADER_LENGTH + view.getUint32(12, true);
  for (let at = HEADER_LENGTH; at < end; ) {
    at = Math.ceil(at / 8) * 8;
    const isSignature = message[at + 2] === "g".charCodeAt(0);
    const length = isSignature ? (message[at + 4] ?? 0) + 6 : view.getUint32(at + 4, true) + 9;
    fields.push(message.slice(at, at + length).toHex());
    at += length;
  }
  const head = message.slice(4, 12).toHex();
  return [head, ...fields.sort(), message.slice(Math.ceil(end / 8) * 8).toHex()];
}

test("F14: answers are read", () => {
  expect(decodeMessage(bytes(ANSWERS.text)).value).toMatch(/^:1\.\d+$/);
  expect(decodeMessage(bytes(ANSWERS.boolean)).value).toBe(true);
  expect(decodeMessage(bytes(ANSWERS.list)).value).toEqual(["10.1.2.3/32", "fd00::3/128"]);
  const error = decodeMessage(bytes(ANSWERS.error));
  expect(error).toMatchObject({ type: 3, errorName: "org.fedoraproject.FirewallD1.Exception" });
  expect(error.value).toStartWith("INVALID_ZONE: zz");
  for (const answer of Object.values(ANSWERS)) {
    const message = bytes(answer);
    expect(messageLength(message.slice(0, HEADER_LENGTH))).toBe(message.length);
  }
});

describe("a message of another kind is an error, never an endless loop", () => {
  test("cut off anywhere", () => {
    const message = bytes(ANSWERS.error);
    for (let length = HEADER_LENGTH; length < message.length; length++)
      expect(() => decodeMessage(message.slice(0, length))).toThrow(DecodeError);
  });

  test("any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: HEADER_LENGTH, maxLength: 200 }), (random) => {
        try {
          decodeMessage(random);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });

  test("another byte order, and a length that no answer has", () => {
    const message = bytes(ANSWERS.text);
    expect(() => messageLength(Uint8Array.of(0x42, ...message.slice(1, 16)))).toThrow("byte order");
    const long = message.slice(0, 16);
    long.set([0xff, 0xff, 0xff, 0x7f], 4);
    expect(() => messageLength(long)).toThrow(/of \d+ bytes/);
  });
});
