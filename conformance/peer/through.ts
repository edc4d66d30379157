/**
 * Lets the suite of one of the reference's plugins judge another program. It calls the commands as functions of its own
 * package, so these are replaced: they run the program that PLUGIN_UNDER_TEST names, or what they ran before without it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What is changed in the suites themselves. */
const IN_TESTS = {
  // Not every kernel has dummy interfaces, and any interface without a carrier will do.
  "netlink.Dummy{": "netlink.Bridge{",
  // A scratch host has its own /run, but not its own /tmp.
  "/tmp/": "/run/",
};

const COMMAND = /^func cmd(Add|Check|Del|GC|Status)\(/gm;

/** Contents of the files that are to be changed in the package in `folder`, by path. */
export function through(folder: string): Record<string, string> {
  const edits: Record<string, string> = {};
  const commands = new Set<string>();
  for (const name of readdirSync(folder)) {
    if (!name.endsWith(".go")) continue;
    const path = join(folder, name);
    const source = readFileSync(path, "utf8");
    if (name.endsWith("_test.go")) {
      const changed = Object.entries(IN_TESTS).reduce(
        (text, [from, to]) => text.replaceAll(from, to),
        source,
      );
      if (changed !== source) edits[path] = changed;
      continue;
    }
    const found = [...source.matchAll(COMMAND)].map(([, command = ""]) => command);
    for (const command of found) commands.add(command);
    if (found.length > 0) edits[path] = source.replaceAll(COMMAND, "func own$1(");
  }
  const functions = [...commands].map(
    (name) => `func cmd${name}(args *skel.CmdArgs) error {
	return through("${name.toUpperCase()}", args, own${name})
}`,
  );
  return { ...edits, [join(folder, "through.go")]: `${CALL}\n${functions.join("\n\n")}\n` };
}

/**
 * The suites run with the namespace of the container as their own, which the plugins refuse unless
 * CNI_NETNS_OVERRIDE permits it. Go starts a program from the thread that calls, so it is in the thread's namespace.
 */
const CALL = `package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
)

func through(command string, args *skel.CmdArgs, own func(*skel.CmdArgs) error) error {
	program := os.Getenv("PLUGIN_UNDER_TEST")
	if program == "" {
		return own(args)
	}
	child := exec.Command(program)
	child.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"CNI_COMMAND=" + command,
		"CNI_CONTAINERID=" + args.ContainerID,
		"CNI_NETNS=" + args.Netns,
		"CNI_IFNAME=" + args.IfName,
		"CNI_ARGS=" + args.Args,
		"CNI_PATH=" + filepath.Dir(program),
		"CNI_NETNS_OVERRIDE=1",
		"DBUS_SYSTEM_BUS_ADDRESS=" + os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"),
	}
	var stdout, stderr bytes.Buffer
	child.Stdin = bytes.NewReader(args.StdinData)
	child.Stdout = &stdout
	child.Stderr = &stderr
	if err := child.Run(); err != nil {
		failure := &types.Error{}
		if json.Unmarshal(stdout.Bytes(), failure) != nil || failure.Msg == "" {
			return fmt.Errorf("%v: %s%s", err, stdout.String(), stderr.String())
		}
		return failure
	}
	_, err := os.Stdout.Write(stdout.Bytes())
	return err
}
`;
