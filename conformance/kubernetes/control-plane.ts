/** etcd, the API server, the controllers and the scheduler, on the scratch host itself. */
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { COMMAND_LIMIT } from "../../test/support/limits.ts";
import { startDaemon } from "../scratch-worker.ts";
import { both, CONTROL, NODES, RANGES } from "./lan.ts";

const SERVER = `https://${CONTROL.v4}:6443`;

/** Who may use the API: user and group by token. Kubernetes itself gives the groups and kube-proxy their rights. */
const ACCOUNTS = {
  admin: ["admin", "system:masters"],
  "kube-proxy": ["system:kube-proxy", "system:node-proxiers"],
  ...Object.fromEntries(Object.keys(NODES).map((name) => [name, [`system:node:${name}`, "system:nodes"]])),
} satisfies Readonly<Record<string, readonly string[]>>;

export class ControlPlane {
  /** Of whoever may do everything. */
  readonly kubeconfig: string;
  private readonly folder: string;
  private readonly programs: string;
  private readonly environment: Readonly<Record<string, string>>;

  /** `programs` is the folder of program.ts. */
  constructor(folder: string, programs: string, environment: Readonly<Record<string, string>>) {
    this.folder = folder;
    this.programs = programs;
    this.environment = environment;
    this.kubeconfig = `${folder}/admin.conf`;
  }

  async start(): Promise<void> {
    mkdirSync(`${this.folder}/certificates`, { recursive: true });
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    writeFileSync(this.path("accounts.key"), privateKey.export({ type: "pkcs1", format: "pem" }));
    writeFileSync(this.path("accounts.pub"), publicKey.export({ type: "spki", format: "pem" }));
    const accounts = Object.entries(ACCOUNTS).map(([token, words]) => [token, words[0], ...words].join(","));
    writeFileSync(this.path("tokens.csv"), `${accounts.join("\n")}\n`);
    writeFileSync(this.kubeconfig, kubeconfig("admin"));
    await this.daemon("etcd", ETCD(this.path("etcd")), () => answers("http://127.0.0.1:2379/health"));
    await this.daemon("kube-apiserver", this.apiServer(), () => answers(`${SERVER}/readyz`));
    await Promise.all([
      this.daemon("kube-controller-manager", this.controllers(), () =>
        answers("https://127.0.0.1:10257/healthz"),
      ),
      this.daemon("kube-scheduler", this.scheduler(), () => answers("https://127.0.0.1:10259/healthz")),
    ]);
  }

  private daemon(name: string, flags: readonly string[], answers: () => Promise<boolean>): Promise<unknown> {
    const words = [`${this.programs}/${name}`, ...flags];
    return startDaemon(words, this.environment, this.path(`${name}.log`), answers, COMMAND_LIMIT);
  }

  private path(name: string): string {
    return `${this.folder}/${name}`;
  }

  private apiServer(): string[] {
    return [
      "--etcd-servers=http://127.0.0.1:2379",
      `--advertise-address=${CONTROL.v4}`,
      // It signs its own certificate, and nobody asks for it.
      `--cert-dir=${this.path("certificates")}`,
      `--token-auth-file=${this.path("tokens.csv")}`,
      "--authorization-mode=Node,RBAC",
      "--enable-admission-plugins=NodeRestriction",
      "--allow-privileged",
      `--service-cluster-ip-range=${both(RANGES.services)}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${this.path("accounts.pub")}`,
      `--service-account-signing-key-file=${this.path("accounts.key")}`,
    ];
  }

  private controllers(): string[] {
    return [
      ...this.asClient(),
      "--allocate-node-cidrs",
      `--cluster-cidr=${both(RANGES.pods)}`,
      "--node-cidr-mask-size-ipv4=24",
      "--node-cidr-mask-size-ipv6=64",
      `--service-cluster-ip-range=${both(RANGES.services)}`,
      `--service-account-private-key-file=${this.path("accounts.key")}`,
    ];
  }

  private scheduler(): string[] {
    return this.asClient();
  }

  private asClient(): string[] {
    return [
      `--kubeconfig=${this.kubeconfig}`,
      `--authentication-kubeconfig=${this.kubeconfig}`,
      `--authorization-kubeconfig=${this.kubeconfig}`,
      "--leader-elect=false",
    ];
  }
}

const REQUEST = {
  headers: { authorization: "Bearer admin" },
  tls: { rejectUnauthorized: false },
} as const;

const answers = (url: string): Promise<boolean> =>
  fetch(url, REQUEST).then(
    ({ ok }) => ok,
    () => false,
  );

const ETCD = (folder: string): string[] => [
  `--data-dir=${folder}`,
  "--listen-client-urls=http://127.0.0.1:2379",
  "--advertise-client-urls=http://127.0.0.1:2379",
  "--listen-peer-urls=http://127.0.0.1:2380",
  "--unsafe-no-fsync",
];

/** The file by which an account reaches the API, as YAML, which takes JSON. */
export function kubeconfig(token: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "cluster", cluster: { server: SERVER, "insecure-skip-tls-verify": true } }],
    users: [{ name: token, user: { token } }],
    contexts: [{ name: token, context: { cluster: "cluster", user: token } }],
    "current-context": token,
  });
}
