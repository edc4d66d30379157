/** How the protocol identifies an attachment in its commands and in GC's list. */

/** One interface of one container. */
export interface ContainerInterface {
  readonly containerId: string;
  readonly ifname: string;
}

/** An interface of a container in a network. Empty strings where a command has no attachment (rule A2). */
export interface Attachment extends ContainerInterface {
  readonly network: string;
}
