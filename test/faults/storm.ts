/**
 * Eight workers, thousands of random operations on shared networks, while namespaces, links, rules and leases are
 * damaged by hand and plugins are killed. A model knows what must be there; independent tools look.
 */
import { stormOf } from "./storm/part.ts";

export default stormOf(
  "bridge",
  "a flood of random operations while the host is damaged and plugins are killed",
);
