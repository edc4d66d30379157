/** The scene: two containers on one network, and how their plugin is called. */

export interface Container {
  readonly id: string;
  readonly ifname: string;
  /** The address that host-local leases to it. */
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

/** Path of the configuration in the repository: cniVersion 0.2.0. */
export const CONFIGURATION = `${import.meta.dir}/net.d/10-mynet.conf`;

/** Folder for the files that a viewer would write by hand. */
export const NOTES = "/run/walk-through";

/** The command line of a plugin call, in the folder of the plugins. */
export const call = (command: string, { id, ifname }: Container, config: string): string =>
  `CNI_COMMAND=${command} CNI_CONTAINERID=${id} CNI_NETNS=/var/run/netns/${id} CNI_IFNAME=${ifname} ` +
  `CNI_PATH=$PWD ./bridge <${config}`;
