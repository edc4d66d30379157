/** A copy of /etc that a program has for itself, so that files can be put there on a machine that has none of them. */

/** The command that runs `command` in a mount namespace where `script` has changed /etc. Only in a scratch host. */
export const withPrivateEtc = (script: string, command: readonly string[] = []): string[] => {
  const setUp = [
    "set -e",
    "mount -n -t tmpfs tmpfs /var/lib/cni",
    "cp -a /etc/. /var/lib/cni/",
    "mount -n --bind /var/lib/cni /etc",
    "umount -n /var/lib/cni",
    script,
    'exec "$@"',
  ].join("\n");
  return ["unshare", "--mount", "--propagation=private", "--", "/bin/sh", "-c", setUp, "sh", ...command];
};

/** The same with an allowlist of the plugin tuning. */
export const withAllowlist = (lines: readonly string[], command: readonly string[] = []): string[] => {
  const text = lines.map((line) => `${line}\n`).join("");
  const quoted = `'${text.replaceAll("'", `'\\''`)}'`;
  return withPrivateEtc(
    `mkdir -p /etc/cni/tuning && printf %s ${quoted} > /etc/cni/tuning/allowlist.conf`,
    command,
  );
};
