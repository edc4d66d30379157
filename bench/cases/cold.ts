/** The first ADD after the plugins' files left the page cache, as after a reboot; what else is in memory stays there. */
import { addAndDel, addNamespaces, IPV4_PLAIN } from "../attachment.ts";
import { type BenchCase, type Contender, type Step, sidesOf, untimed } from "../case.ts";
import { stand } from "../standing.ts";

const STANDING = 10;

/** Puts the files of a folder out of memory. A page that another process is using stays for that time. */
const FORGET = `for file in "$0"/*; do
  sync "$file"
  tries=0
  while dd if="$file" iflag=nocache count=0 status=none
    [ "$(fincore --noheadings --output PAGES "$file" | tr -d ' ')" != 0 ]
  do
    tries=$((tries + 1))
    [ $tries -lt 500 ] || { echo "$file stays in memory: another process uses it" >&2; exit 1; }
    sleep 0.01
  done
done`;

const forget = (folder: string): Step => ({
  name: "forget",
  untimed: true,
  programs: () => [{ argv: ["/bin/sh", "-ec", FORGET, folder] }],
});

export const COLD: BenchCase = {
  name: "cold",
  title: "IPv4, first call after the files left the page cache",
  seconds: 30,
  rounds: 30,
  quickRounds: 5,
  open: async ({ programs, host }) => {
    const contenders: Contender[] = [];
    for (const [side, folder] of sidesOf(programs, "with copies")) {
      const place = await host(side);
      await addNamespaces(place, "measured", 1);
      await stand(place, { folder, shape: IPV4_PLAIN }, STANDING);
      const [add, del] = addAndDel({ folder, shape: IPV4_PLAIN });
      contenders.push({ side, variant: "", host: place, steps: [forget(folder), add, untimed(del)] });
    }
    return contenders;
  },
};
