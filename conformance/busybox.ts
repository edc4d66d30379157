/** A root file system for containers, made of nothing but Debian's busybox-static. */
import { chmodSync, copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outcomeOf, outputOf } from "../test/support/command.ts";
import { provideDebian } from "./debian.ts";

const BUSYBOX = "/bin/busybox";

/** Answers HTTP requests with its own name and the address that the request came from. */
const WHO = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
address=\${REMOTE_ADDR#[}
address=\${address#::ffff:}
echo "$(hostname) \${address%]}"
`;

/** What serves WHO at /cgi-bin/who, at port 80 of all addresses. */
export const HTTPD = ["httpd", "-f", "-p", "80", "-h", "/www"] as const;

/** What asks for WHO; an IPv6 address is written in brackets. The timeout is not wget's, whose option -T kills it. */
export const ask = (address: string, port = 80): string[] => [
  ...["timeout", "30", "wget", "-qO-"],
  `http://${address}:${port}/cgi-bin/who`,
];

/** Installs busybox-static where it lacks. @throws Error when there is a busybox that needs libraries. */
export async function provideBusybox(say: (line: string) => void): Promise<void> {
  await provideDebian({ [BUSYBOX]: "busybox-static" }, say);
  // ldd fails for a program that needs no libraries.
  const { exitCode, stdout } = await outcomeOf(["ldd", BUSYBOX]);
  if (exitCode === 0) throw new Error(`${BUSYBOX} needs ${stdout.trim()}: apt-get install busybox-static`);
}

/** Fills a folder with the root file system. */
export async function makeRoot(folder: string): Promise<void> {
  for (const path of ["bin", "dev", "etc", "proc", "sys", "tmp", "www/cgi-bin"])
    mkdirSync(join(folder, path), { recursive: true });
  copyFileSync(BUSYBOX, join(folder, "bin/busybox"));
  for (const applet of (await outputOf([BUSYBOX, "--list"])).trim().split("\n")) {
    if (applet !== "busybox") symlinkSync("busybox", join(folder, "bin", applet));
  }
  writeFileSync(join(folder, "www/cgi-bin/who"), WHO);
  chmodSync(join(folder, "www/cgi-bin/who"), 0o755);
}
