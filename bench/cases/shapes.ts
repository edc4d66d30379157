/** ADD and DEL of the shapes that networks have, beside ten standing attachments of the same shape. */
import {
  addAndDel,
  addNamespaces,
  DUAL_STACK,
  IPV4_PLAIN,
  LAYER_2,
  MASQUERADE,
  MASQUERADE_IPTABLES,
  MASQUERADE_NFTABLES,
  type Shape,
  SPOOF_CHECK,
} from "../attachment.ts";
import { type BenchCase, type Contender, sidesOf } from "../case.ts";
import { stand } from "../standing.ts";
import { floorBeside } from "./floor.ts";

const STANDING = 10;

const ofShape = (name: string, shape: Shape, withFloor = false): BenchCase => ({
  name,
  title: shape.name,
  seconds: 40,
  rounds: 60,
  quickRounds: 10,
  census: true,
  open: async (surroundings) => {
    const { programs, host } = surroundings;
    const contenders: Contender[] = [];
    for (const [side, folder] of sidesOf(programs, "with copies")) {
      const place = await host(side);
      await addNamespaces(place, "measured", 1);
      await stand(place, { folder, shape }, STANDING);
      contenders.push({ side, variant: "", host: place, steps: addAndDel({ folder, shape }) });
    }
    if (withFloor) contenders.push(await floorBeside(surroundings, { shape, count: STANDING, variant: "" }));
    return contenders;
  },
});

export const SHAPES: readonly BenchCase[] = [
  ofShape("layer2", LAYER_2),
  ofShape("ipv4", IPV4_PLAIN, true),
  ofShape("masq", MASQUERADE),
  ofShape("masq-iptables", MASQUERADE_IPTABLES),
  ofShape("masq-nftables", MASQUERADE_NFTABLES),
  ofShape("dual-stack", DUAL_STACK),
  ofShape("macspoofchk", SPOOF_CHECK),
];
