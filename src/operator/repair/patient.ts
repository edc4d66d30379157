/** The attachments of libcni's cache in the order of their ADDs, and what each has lost at the moment. */
import { toCniError } from "../../cni/error.ts";
import type { Taken } from "../../netfilter/portmap/losses.ts";
import { unlessFailed } from "../../sys/errno.ts";
import { status } from "../../sys/file.ts";
import type { FoundAttachment, HostState } from "../attachments.ts";
import { type LivingParts, livingParts } from "./living-attachment.ts";
import type { PluginLoss } from "./loss.ts";
import { type Claim, lossesOf, type Subject, subjectOf } from "./losses.ts";

/** What was found of an attachment. */
export type Look =
  | { readonly state: "alive"; readonly losses: readonly PluginLoss[] }
  /** Not proven to be alive: it is left alone. */
  | { readonly state: "left"; readonly why: string }
  /** It lives, but what it has lost cannot be told. */
  | { readonly state: "unknown"; readonly why: string };

type Host = Pick<HostState, "attachments" | "links">;

/** An attachment of the cache. */
export class Patient {
  readonly attachment: FoundAttachment;
  private readonly host: Host;
  private readonly log: (line: string) => void;

  constructor(attachment: FoundAttachment, host: Host, log: (line: string) => void) {
    this.attachment = attachment;
    this.host = host;
    this.log = log;
  }

  /** Looks at it now. `all` are all attachments of the cache, the oldest first. */
  async look(all: readonly Patient[]): Promise<Look> {
    try {
      const subject = subjectOf(this.attachment, this.log);
      if (subject === undefined)
        return { state: "unknown", why: "its file in the cache has no configuration or no result" };
      const parts = this.partsOf(subject);
      if (typeof parts === "string") return { state: "left", why: parts };
      const losses = await lossesOf(subject, parts, (taken) => this.claimOf(taken, all));
      return { state: "alive", losses };
    } catch (error) {
      return { state: "unknown", why: toCniError(error).message };
    }
  }

  /** Whether it lives, or may live: one whose configuration cannot be read. */
  isAlive(): boolean {
    try {
      const subject = subjectOf(this.attachment, this.log);
      return subject === undefined || typeof this.partsOf(subject) !== "string";
    } catch {
      return true;
    }
  }

  private partsOf({ result }: Subject): LivingParts | string {
    return livingParts(this.attachment, result, this.host.links);
  }

  /** A port leads to the newest attachment that lives. */
  private claimOf({ containerId, network }: Taken, all: readonly Patient[]): Claim {
    const rivals = all.filter(
      ({ attachment }) =>
        attachment.containerId === containerId && (!network || attachment.network === network),
    );
    if (rivals.length === 0) return "unknown";
    const newer = all.slice(all.indexOf(this) + 1);
    return rivals.some((each) => newer.includes(each) && each.isAlive()) ? "newer" : "older";
  }
}

/** The attachments of the cache by the time of their files, which ADD wrote: the oldest first. */
export function patientsOf(host: Host, log: (line: string) => void): readonly Patient[] {
  return host.attachments
    .flatMap((attachment) => {
      const { cached } = attachment;
      const added = cached && unlessFailed(() => status(cached.file).modified);
      return added === undefined ? [] : { attachment, added };
    })
    .sort((a, b) => (a.added < b.added ? -1 : a.added > b.added ? 1 : 0))
    .map(({ attachment }) => new Patient(attachment, host, log));
}
