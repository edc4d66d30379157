/** A rule that nf_tables has. Of a long list a call needs few rules whole: what a rule does is decoded when that is asked. */
import { indexOfBytes, sameBytes } from "#engine";
import type { Message } from "../../netlink/message.ts";
import { decodeRuleHead, type RuleHandle } from "../../netlink/nftables/rule.ts";
import { commentOf, textOf, USER_DATA } from "../../netlink/nftables/userdata.ts";
import { markBy, markOf } from "../attachment-names.ts";
import { type FoundRule, PROTOCOLS } from "../rule.ts";
import { datumType } from "./base-chains.ts";
import { type Reading, RuleSamples } from "./rule-samples.ts";

/** A rule that was found in nf_tables. */
export interface NftRule extends FoundRule, RuleHandle {
  readonly handle: bigint;
  /** What is recorded of its attachment (datumType.owner). */
  readonly owner?: string | undefined;
}

/** The comparison of a packet's protocol with UDP, as NFTA_DATA_VALUE of one byte. */
const IS_UDP = Uint8Array.of(5, 0, 1, 0, PROTOCOLS.udp);

/** Whether a rule of this message may be about UDP; it is decoded to know that for certain. */
export const mayBeUdp = (bytes: Uint8Array): boolean => indexOfBytes(bytes, IS_UDP) >= 0;

/** The number of the rule in a message. @throws DecodeError */
export const handleIn = (payload: Uint8Array): bigint => decodeRuleHead({ payload }).handle;

const NO_BYTES = new Uint8Array();

/** What user data tells of a rule. `ifname` is of earlier versions. */
interface Told extends Pick<NftRule, "mark" | "comment" | "owner" | "ingress"> {
  readonly ifname: string | undefined;
}

function toldBy(family: NftRule["family"], bytes: Uint8Array): Told {
  const data = USER_DATA.decode(bytes, 0);
  const comment = commentOf(data);
  return {
    comment,
    mark: family === "inet" ? markOf(comment ?? "") : textOf(data, datumType.attachment),
    ifname: textOf(data, datumType.interface),
    owner: textOf(data, datumType.owner),
    ingress: textOf(data, datumType.ingress),
  };
}

/** Reads rules one after another: most have the user data of the one before. */
export class RuleReader {
  private bytes: Uint8Array = NO_BYTES;
  private told: Told | undefined;
  private readonly samples = new RuleSamples();

  /** @throws DecodeError, now or when a field is read */
  rule(message: Message): NftRule {
    const { family, table, chain, handle, userData = NO_BYTES } = decodeRuleHead(message);
    if (this.told === undefined || !sameBytes(this.bytes, userData)) {
      this.bytes = userData;
      this.told = toldBy(family, userData);
    }
    const { mark, ifname, comment, owner, ingress } = this.told;
    let known: Reading | undefined;
    const reading = () => {
      known ??= this.samples.read(message);
      return known;
    };
    return {
      ...{ family, table, chain, handle, comment, owner, ingress },
      get mark() {
        return mark ?? (ifname === undefined ? undefined : markBy(reading().rule.comment, ifname));
      },
      get rule() {
        return reading().isWhole ? reading().rule : undefined;
      },
      get part() {
        return reading().rule;
      },
      get target() {
        return reading().rule.target;
      },
      get input() {
        return reading().rule.input;
      },
      get watches() {
        return reading().watches;
      },
      get mayBeUdp() {
        return mayBeUdp(message.payload);
      },
    };
  }
}
