/** The programs of a cluster: one file that is each of them, by the name that it is called by, so that Go links once. */
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf } from "../../test/support/command.ts";
import { JOB_LIMIT } from "../../test/support/limits.ts";
import { cached, defined, modulePath, type Provide, said } from "../go-programs.ts";

const KUBERNETES = { name: "kubernetes", version: "v1.37.2", goNeeded: [1, 26] } as const;
/** Of the modules that Kubernetes develops in its own repository, whose minor version is the same. */
const STAGING_VERSION = "v0.37.2";
const ETCD_VERSION = "v3.7.0";

const STAGING = `
  api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider cluster-bootstrap code-generator
  component-base component-helpers controller-manager cri-api cri-client cri-streaming csi-translation-lib
  dynamic-resource-allocation endpointslice externaljwt kms kube-aggregator kube-controller-manager kube-proxy
  kube-scheduler kubectl kubelet metrics mount-utils pod-security-admission sample-apiserver streaming`
  .trim()
  .split(/\s+/)
  .map((name) => `k8s.io/${name}`);

/** Programs by name: the package that makes the command, and the expression that does. */
const COMMANDS = {
  "kube-apiserver": ["kube-apiserver", "NewAPIServerCommand()"],
  "kube-controller-manager": ["kube-controller-manager", "NewControllerManagerCommand()"],
  "kube-scheduler": ["kube-scheduler", "NewSchedulerCommand()"],
  kubelet: ["kubelet", "NewKubeletCommand(context.Background())"],
  "kube-proxy": ["kube-proxy", "NewProxyCommand()"],
} as const;

const NAMES = ["etcd", "kubectl", ...Object.keys(COMMANDS)];

/** Folder with etcd, the programs of Kubernetes and kubectl. @throws Error that says what is missing and how to get it. */
export const provideKubernetes: Provide = cached(KUBERNETES, "building", NAMES, async (go, folder, cache) => {
  const sources = await modulePath(go, "k8s.io/kubernetes", KUBERNETES, cache);
  // Not a copy, which would be as read-only as the file is there.
  writeFileSync(join(folder, "go.sum"), readFileSync(join(sources, "go.sum")));
  writeFileSync(join(folder, "go.mod"), MODULE);
  writeFileSync(join(folder, "main.go"), MAIN);
  // The compiler spends a quarter of its time on its own memory, of which there is enough.
  const env = { HOME: cache, GOGC: "400", ...process.env, CGO_ENABLED: "0", GOTOOLCHAIN: "local" };
  // As in the releases; without it a node reports version 0.
  const stamps = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(
    (path) => `-X ${path}.gitVersion=${KUBERNETES.version}`,
  );
  const flags = `-s -w ${stamps.join(" ")}`;
  // The sums of the modules in Kubernetes' own repository are not in its go.sum: Go adds them.
  const build = [go, "build", "-mod=mod", "-ldflags", flags, "-o", "kubernetes", "."];
  const outcome = await outcomeOf(build, { env: defined(env), cwd: folder, timeout: 2 * JOB_LIMIT });
  if (outcome.exitCode !== 0) throw new Error(`cannot build ${KUBERNETES.name}: ${said(outcome)}`);
  for (const name of NAMES) symlinkSync("kubernetes", join(folder, name));
});

const MODULE = `module cluster

go ${KUBERNETES.goNeeded.join(".")}

require (
	k8s.io/kubernetes ${KUBERNETES.version}
	go.etcd.io/etcd/server/v3 ${ETCD_VERSION}
${STAGING.map((path) => `\t${path} ${STAGING_VERSION}`).join("\n")}
)

replace (
${STAGING.map((path) => `\t${path} => ${path} ${STAGING_VERSION}`).join("\n")}
)
`;

const identifier = (name: string): string => name.replaceAll("-", "");

const MAIN = `package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
${Object.entries(COMMANDS)
  .map(([name, [path]]) => `\t${identifier(name)} "k8s.io/kubernetes/cmd/${path}/app"`)
  .join("\n")}
)

func main() {
	var command *cobra.Command
	switch name := filepath.Base(os.Args[0]); name {
	case "etcd":
		etcdmain.Main(os.Args)
		return
	case "kubectl":
		util.CheckErr(cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()))
		return
${Object.entries(COMMANDS)
  .map(([name, [, make]]) => `\tcase "${name}":\n\t\tcommand = ${identifier(name)}.${make}`)
  .join("\n")}
	default:
		fmt.Fprintf(os.Stderr, "there is no program %q in this file\\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(command))
}
`;
