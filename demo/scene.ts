/** Who plays: two containers on one network, and how their plugin is called. */

/** A container as the walk-through names it. */
export interface Container {
  readonly id: string;
  readonly ifname: string;
  /** What host-local gives to it. */
  readonly address: string;
}

export const FIRST: Container = { id: "1234567890", ifname: "eth12", address: "10.15.20.2" };
export const SECOND: Container = { id: "2345678901", ifname: "eth0", address: "10.15.20.3" };

/** The network of net.d/10-mynet.conf. */
export const NETWORK = {
  name: "mybridge",
  bridge: "cni_bridge0",
  gateway: "10.15.20.1",
  subnet: "10.15.20.0/24",
};

/** Path of the configuration as it is in the repository: cniVersion 0.2.0. */
export const CONFIGURATION = `${import.meta.dir}/net.d/10-mynet.conf`;

/** Files that the viewer would write himself lie here. */
export const NOTES = "/run/walk-through";

/** A plugin call as it is typed in the folder of the plugins. */
export const call = (command: string, { id, ifname }: Container, config: string): string =>
  `CNI_COMMAND=${command} CNI_CONTAINERID=${id} CNI_NETNS=/var/run/netns/${id} CNI_IFNAME=${ifname} ` +
  `CNI_PATH=$PWD ./bridge <${config}`;
