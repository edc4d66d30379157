/** Pods of this suite: each is a web server that says its own name, and who asks. */
import { deepEqual, equal, ok } from "node:assert/strict";
import { eventually } from "../../test/support/eventually.ts";
import { ask } from "../busybox.ts";
import type { Cluster } from "./cluster.ts";
import { IMAGE } from "./node.ts";
import { leases, traces } from "./node-network.ts";

/** A pod as kubectl shows it, as far as it is used. */
export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly containerStatuses?: readonly { readonly ready: boolean; readonly restartCount: number }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export interface PodOptions {
  /** Only there; else spread evenly. */
  readonly node?: string;
  /** Published on the node, for the web server. */
  readonly hostPort?: number;
  /** Another value makes other pods. */
  readonly revision?: string;
}

/** A deployment of such pods, whose label "app" is its name. */
export function deployment(name: string, replicas: number, options: PodOptions = {}): object {
  const labels = { app: name };
  const { node, hostPort, revision = "1" } = options;
  const port = { containerPort: 80, ...(hostPort === undefined ? {} : { hostPort }) };
  const spread = { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "DoNotSchedule" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: { revision } },
        spec: {
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          containers: [{ name: "web", image: IMAGE, command: SERVER, ports: [port] }],
          ...(node === undefined
            ? { topologySpreadConstraints: [{ ...spread, labelSelector: { matchLabels: labels } }] }
            : { nodeSelector: { "kubernetes.io/hostname": node } }),
        },
      },
    },
  };
}

/** Process 1 ends when it is asked to, which a web server in its place would not. */
const SERVER = ["/bin/sh", "-c", "trap 'exit 0' TERM; httpd -f -p 80 -h /www & wait"];

export const addressesOf = ({ status }: Pod): string[] => (status.podIPs ?? []).map(({ ip }) => ip);

/** The living pods of a deployment, after all of them have become ready. */
export async function rolledOut(cluster: Cluster, name: string): Promise<Pod[]> {
  await cluster.kubectl(["rollout", "status", `deployment/${name}`, "--timeout=240s"]);
  return living(cluster, name);
}

/** The pods of a deployment that do not end. */
export async function living(cluster: Cluster, name: string): Promise<Pod[]> {
  const pods = await cluster.list<Pod>(["pods", `--selector=app=${name}`]);
  return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** Deletes deployments and services of these names with all their pods, and waits until the API has forgotten the pods. */
export async function remove(cluster: Cluster, ...names: readonly string[]): Promise<void> {
  await cluster.kubectl(["delete", "deployment,service", "--ignore-not-found", ...names]);
  for (const name of names)
    await cluster.kubectl(["wait", "--for=delete", "pod", `--selector=app=${name}`, "--timeout=180s"]);
}

/** Milliseconds: the kubelet looks for what dead pods have left once a minute. */
const AFTER_DEATH = 120_000;

/** Waits until no node has anything of any container, but for what `kept` names. */
export async function expectNothingLeft(cluster: Cluster, kept?: RegExp): Promise<void> {
  const left = async () =>
    (
      await cluster.onEach(({ name, machine }) =>
        traces(machine).then((all) => all.map((one) => `${name}: ${one}`)),
      )
    ).flat();
  const isEmpty = async () => (await left()).every((line) => kept?.test(line));
  await eventually("nothing is left on the nodes", isEmpty, { deadline: AFTER_DEATH, state: left });
}

/** All addresses differ, and each is a lease of the pod's own node, which has no other. */
export function expectLeases(cluster: Cluster, pods: readonly Pod[]): void {
  const all = pods.flatMap(addressesOf);
  equal(all.length, 2 * pods.length, `an address is missing: ${all.join(" ")}`);
  equal(new Set(all).size, all.length, `an address is there twice: ${all.join(" ")}`);
  for (const { name, machine } of cluster.nodes) {
    const here = pods.filter(({ spec }) => spec.nodeName === name).flatMap(addressesOf);
    deepEqual(Object.keys(leases(machine)).sort(), here.sort(), `leases of ${name}`);
  }
}

const inBrackets = (address: string): string => (address.includes(":") ? `[${address}]` : address);

/** The shell command that asks a web server, and prints nothing when there is no answer. */
export const asking = (address: string, port = 80): string =>
  ["busybox", ...ask(inBrackets(address), port)].join(" ");

/** Standard output of a shell command in the network of a pod, by the programs of the node. @throws CommandFailed */
export function inPod(cluster: Cluster, pod: Pod, command: string): Promise<string> {
  const [address = "none"] = addressesOf(pod);
  return cluster.node(pod.spec.nodeName ?? "").machine.run(`for name in $(ls /run/netns); do
    if ip -n $name -o addr | grep -qF " ${address}/"; then
      exec nsenter --net=/run/netns/$name -- /bin/sh -c '${command}'
    fi
  done
  echo 'no namespace has ${address}' >&2; exit 1`);
}

/**
 * Each pod asks each target, which must answer with its own name and see the pod's own address.
 * @throws AssertionError naming those that do not
 */
export async function expectReach(
  cluster: Cluster,
  pods: readonly Pod[],
  targets: readonly Pod[] = pods,
  family: "v4" | "v6" = "v4",
): Promise<void> {
  const isOfFamily = (address: string) => address.includes(":") === (family === "v6");
  const to = targets.map((pod) => ({
    name: pod.metadata.name,
    address: addressesOf(pod).find(isOfFamily) ?? "",
  }));
  const from = pods.map((pod) => addressesOf(pod).find(isOfFamily) ?? "");
  const script = to.map(({ address }) => asking(address)).join("\n");
  const answers = (
    await cluster.onEach(({ machine }) =>
      machine.run(`for name in $(ls /run/netns); do
        nsenter --net=/run/netns/$name -- /bin/sh -c '${script}'
      done; :`),
    )
  )
    .join("")
    .trim()
    .split("\n");
  const wanted = to.flatMap(({ name }) => from.map((address) => `${name} ${address}`));
  const given = new Set(answers);
  const missing = wanted.filter((line) => !given.has(line));
  deepEqual(missing.slice(0, 10), [], `${missing.length} of ${wanted.length} answers are missing`);
  ok(answers.length >= wanted.length);
}
