/** What the protocol identifies an attachment by: the key of ADD, CHECK and DEL, and of GC's list within a network. */

/** One interface of one container. */
export interface ContainerInterface {
  readonly containerId: string;
  readonly ifname: string;
}

/** An interface of a container in a network. Empty strings where a command has no attachment (rule A2). */
export interface Attachment extends ContainerInterface {
  readonly network: string;
}
