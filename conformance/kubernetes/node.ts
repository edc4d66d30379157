/** What runs on a node: containerd, the kubelet, kube-proxy. */
import { kubeconfig } from "./control-plane.ts";
import { both, RANGES } from "./lan.ts";
import type { Machine } from "./machine.ts";

/** The image of the containers in this suite. Its command does nothing, for as long as it may. */
export const IMAGE = "localhost/busybox:1";

/** What deploy/install names for its container that keeps running. */
const PAUSE = "registry.k8s.io/pause:3.10";

/** Programs of a node, by folder. */
export interface NodePrograms {
  readonly containerd: string;
  readonly kubernetes: string;
}

export type ProxyMode = "iptables" | "nftables";

export class Node {
  readonly machine: Machine;
  readonly name: string;
  private readonly programs: NodePrograms;

  constructor(machine: Machine, programs: NodePrograms) {
    this.machine = machine;
    this.name = machine.name;
    this.programs = programs;
  }

  /** Makes the machine and the configurations. */
  async install(): Promise<void> {
    await this.machine.install();
    this.machine.write("/etc/containerd/config.toml", CONTAINERD);
    this.machine.write("/etc/kubernetes/kubelet.conf", kubeconfig(this.name));
    this.machine.write("/etc/kubernetes/proxy.conf", kubeconfig("kube-proxy"));
    this.machine.write("/etc/kubernetes/kubelet.json", JSON.stringify(KUBELET));
  }

  /** Switches the machine on, and starts containerd. */
  async boot(): Promise<void> {
    await this.machine.start();
    await this.startContainerd();
  }

  async startContainerd(): Promise<void> {
    const words = [`${this.programs.containerd}/containerd`];
    const answers = async () => (await this.machine.outcome(["ctr", "version"])).exitCode === 0;
    await this.machine.startDaemon("containerd", words, answers);
  }

  /** Loads an archive as its users do. */
  async importImage(archive: string): Promise<void> {
    await this.machine.run(["ctr", "-n", "k8s.io", "images", "import", archive]);
  }

  /** Gives the image of the suite the name of the pause image as well. */
  async namePause(): Promise<void> {
    await this.machine.run(["ctr", "-n", "k8s.io", "images", "tag", IMAGE, PAUSE]);
  }

  async startKubelet(): Promise<void> {
    await this.machine.startDaemon(
      "kubelet",
      [
        `${this.programs.kubernetes}/kubelet`,
        "--config=/etc/kubernetes/kubelet.json",
        "--kubeconfig=/etc/kubernetes/kubelet.conf",
        `--hostname-override=${this.name}`,
        `--node-ip=${both(this.machine.place)}`,
      ],
      () => this.hears("10248/healthz"),
    );
  }

  async startProxy(mode: ProxyMode): Promise<void> {
    this.machine.write("/etc/kubernetes/proxy.json", JSON.stringify(proxy(this.name, mode)));
    const words = [`${this.programs.kubernetes}/kube-proxy`, "--config=/etc/kubernetes/proxy.json"];
    await this.machine.startDaemon("kube-proxy", words, () => this.hears("10256/healthz"));
  }

  /** Whether a daemon of the node says that it is well. */
  private async hears(portAndPath: string): Promise<boolean> {
    const words = ["busybox", "wget", "-qO-", `http://127.0.0.1:${portAndPath}`];
    return (await this.machine.outcome(words)).exitCode === 0;
  }
}

/** Where containerd gives its figures. */
export const FIGURES = "http://127.0.0.1:1338/v1/metrics";

const CONTAINERD = `version = 3
[metrics]
address = "127.0.0.1:1338"
[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "${IMAGE}"
[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true
`;

const KUBELET = {
  apiVersion: "kubelet.config.k8s.io/v1beta1",
  kind: "KubeletConfiguration",
  authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
  authorization: { mode: "AlwaysAllow" },
  containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
  cgroupDriver: "cgroupfs",
  failCgroupV1: false,
  failSwapOn: false,
  volumePluginDir: "/var/lib/kubelet/volume-plugins",
  // The disk is that of the machine below, and its fill is nothing to judge a node by.
  localStorageCapacityIsolation: false,
  evictionHard: { "imagefs.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%" },
  imageGCHighThresholdPercent: 100,
  resolvConf: "",
  maxPods: 250,
} as const;

const proxy = (name: string, mode: ProxyMode) => ({
  apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
  kind: "KubeProxyConfiguration",
  mode,
  hostnameOverride: name,
  clientConnection: { kubeconfig: "/etc/kubernetes/proxy.conf" },
  clusterCIDR: both(RANGES.pods),
  // Settings for all of the kernel.
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
});
