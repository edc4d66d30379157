/** What doctor looks at for each attachment in libcni's cache: CHECK of its plugins, its address, the host's neighbours. */

import type { Attachment } from "../../cni/attachment.ts";
import { findVersion } from "../../cni/version.ts";
import { isAtLeast } from "../../cni/version-check.ts";
import { formatIp } from "../../net/ip.ts";
import { formatMac, parseMac, sameMac } from "../../net/mac.ts";
import { decode } from "../../netlink/decode.ts";
import { connect, protocol } from "../../netlink/index.ts";
import { dumpNeighbours, NEIGHBOUR } from "../../netlink/rtnetlink/neighbour.ts";
import { get } from "../../schema/parse.ts";
import type { FoundAttachment } from "../attachments.ts";
import type { CachedAttachment } from "../cache.ts";
import { addressesOf, ownInterface } from "../cached-result.ts";
import { CommandError, exitCode } from "../exit-codes.ts";
import { typeOf } from "../networks.ts";
import { programOf } from "../plugin-folder.ts";
import { patientsOf } from "../repair/patient.ts";
import { errorOf, pluginsOf } from "./call-plugin.ts";
import type { Diagnosis, Found } from "./diagnosis.ts";
import type { Subject } from "./host-checks.ts";

/** Makes the checks of these attachments; addresses are compared with those of all. */
export async function checkAttachments(
  diagnosis: Diagnosis,
  subject: Subject,
  wanted: readonly FoundAttachment[],
): Promise<void> {
  const living = subject.attachments.filter(({ netns }) => netns !== undefined);
  const users = Map.groupBy(
    living.flatMap((attachment) =>
      addressesOf(attachment.cached).map((address) => ({ attachment, address })),
    ),
    ({ address }) => formatIp(address),
  );
  let neighbours: Neighbours | undefined;
  for (const attachment of wanted) {
    const { cached, netns } = attachment;
    if (cached === undefined) continue;
    const object = describe(attachment);
    if (netns === undefined && cached.netns !== undefined) {
      await diagnosis.check("attachment", object, "", () => [
        {
          code: "BH402",
          object,
          message: `its namespace ${cached.netns} is gone, and DEL has not been called`,
          remedy: deleteCommand(cached, cached.netns ?? ""),
        },
      ]);
      continue;
    }
    await diagnosis.check("check", object, "as ADD has left it", async () => {
      const failures = failedCheck(attachment, cached, subject);
      return failures && (await withRemedies(failures, attachment, subject));
    });
    await diagnosis.check("addresses", object, "no one else has them", () => givenTwice(attachment, users));
    await diagnosis.check("neighbours", object, "none is old", () =>
      oldNeighbours(attachment, () => (neighbours ??= readNeighbours())),
    );
  }
}

/** What runtimes accept as an id, and a shell as a word. */
const WORD = /^[\w./-]+$/;

/** Only DEL ends this: gc frees what is proven dead, and lets libcni's cache be. */
function deleteCommand({ network, containerId, ifname }: CachedAttachment, netns: string): string {
  const isPlain = [network, containerId, ifname, netns].every((word) => WORD.test(word));
  if (!isPlain) return `bridgehead gc ${WORD.test(network) ? network : ""}`.trimEnd();
  return `bridgehead run DEL ${network} --netns ${netns} --id ${containerId} --ifname ${ifname}`;
}

/** An attachment as the object of a finding. */
export const describe = ({ network, containerId, ifname }: Attachment): string =>
  `${network}/${containerId.slice(0, 13)}/${ifname}`;

/** A CHECK that failed. */
interface Failure {
  readonly plugin: string;
  readonly message: string;
}

/** The findings: `repair` is the remedy only where it would put something of that plugin back. */
async function withRemedies(
  failures: readonly Failure[],
  attachment: FoundAttachment,
  subject: Subject,
): Promise<Found[]> {
  if (failures.length === 0) return [];
  const all = patientsOf(subject, () => {});
  const look = await all.find((patient) => patient.attachment === attachment)?.look(all);
  const losses = look?.state === "alive" ? look.losses : [];
  return failures.map(({ plugin, message }) => ({
    code: "BH401",
    object: describe(attachment),
    message: `CHECK of ${plugin}: ${message}`,
    remedy: losses.some((loss) => loss.plugin === plugin && loss.putBack !== undefined)
      ? `bridgehead repair ${attachment.containerId.slice(0, 13)}`
      : "let the runtime start the container again: repair puts back rules alone",
  }));
}

/**
 * CHECK came with 0.4.0; a network can forbid it.
 * @throws CommandError if no CHECK fails, but the program of a plugin is missing, so that nobody knows what its CHECK would say
 */
function failedCheck(
  attachment: FoundAttachment,
  cached: CachedAttachment,
  { pluginPath }: Subject,
): Failure[] | undefined {
  const { config, result } = cached;
  if (config === undefined || result === undefined || get(config, "disableCheck") === true) return undefined;
  const cniVersion = String(get(config, "cniVersion") ?? "");
  const version = findVersion(cniVersion);
  if (version === undefined || !isAtLeast(version, "0.4.0")) return undefined;
  const plugins = pluginsOf(config);
  const found = plugins.flatMap((plugin): Failure[] => {
    const { network } = attachment;
    const message = errorOf({
      command: "CHECK",
      network,
      cniVersion,
      plugin,
      attachment: cached,
      pluginPath,
    });
    if (message === undefined) return [];
    return [{ plugin: typeOf(plugin), message }];
  });
  const missing = plugins.map(typeOf).filter((type) => programOf(type, pluginPath) === undefined);
  if (found.length > 0 || missing.length === 0) return found;
  const programs = [...new Set(missing)].join(", ");
  throw new CommandError(
    exitCode.cannotTell,
    `no program of ${programs} is in ${pluginPath}; name its folder in CNI_PATH`,
  );
}

/** `users` has the living attachments of each address. */
function givenTwice(
  attachment: FoundAttachment,
  users: ReadonlyMap<string, readonly { readonly attachment: FoundAttachment }[]>,
): Found[] {
  return addressesOf(attachment.cached).flatMap((address) => {
    const text = formatIp(address);
    const other = users.get(text)?.find((each) => each.attachment !== attachment)?.attachment;
    if (other === undefined) return [];
    const message = `${describe(other)} has the address ${text}, too`;
    return [{ code: "BH403", object: describe(attachment), message, remedy: `bridgehead show ${text}` }];
  });
}

/** NUD_REACHABLE, NUD_STALE, NUD_DELAY, NUD_PROBE, NUD_PERMANENT: the entry is used. */
const USED = 0x02 | 0x04 | 0x08 | 0x10 | 0x80;

/** The host's neighbour entries of both families. @throws NetlinkError */
function readNeighbours() {
  using host = connect(protocol.route);
  return host.dump(dumpNeighbours(), ({ payload }) => decode(NEIGHBOUR, payload));
}

type Neighbours = ReturnType<typeof readNeighbours>;

function oldNeighbours(attachment: FoundAttachment, neighbours: () => Neighbours): Found[] | undefined {
  const mac = parseMac(ownInterface(attachment.cached)?.mac ?? "");
  const addresses = addressesOf(attachment.cached).map(formatIp);
  if (mac === undefined || addresses.length === 0) return undefined;
  return neighbours().flatMap(({ address, mac: theirs, state }) => {
    if (address === undefined || theirs === undefined || (state & USED) === 0) return [];
    if (!addresses.includes(formatIp(address)) || sameMac(theirs, mac)) return [];
    const text = formatIp(address);
    const message = `the host sends packets for ${text} to ${formatMac(theirs)}, and the container has ${formatMac(mac)}`;
    return [{ code: "BH404", object: describe(attachment), message, remedy: `ip neigh flush to ${text}` }];
  });
}
