#!/bin/sh
# npm run test:bare: what README says of a bare Debian 12, on one that has nodejs, npm and nothing else (root).
#
#   npm run test:bare                    npm ci && npm run demo && npm test
#   npm run test:bare -- 'npm run demo'  this command instead, after npm ci
#
# The system is made with mmdebstrap in a folder below /tmp, and used through mounts and processes of its own. The tree is
# copied as it is, without what git ignores. Packages come from the network.
set -eu
command=${1:-npm run demo && npm test}
project=$(dirname "$(dirname "$(readlink -f "$0")")")
if ! command -v mmdebstrap >/dev/null; then
  apt-get install -y -qq --no-install-recommends mmdebstrap || { apt-get update -qq && apt-get install -y -qq mmdebstrap; }
fi
root=$(mktemp -d /tmp/bridgehead-bare-XXXXXX)
trap 'rm -rf --one-file-system "$root"' EXIT
trap 'exit 130' INT TERM HUP
mmdebstrap --quiet --variant=minbase --include=nodejs,npm,ca-certificates bookworm "$root" http://deb.debian.org/debian
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
# A network with an authority of its own.
[ -z "${NODE_EXTRA_CA_CERTS:-}" ] || cp -L "$NODE_EXTRA_CA_CERTS" "$root/etc/ssl/own.crt"
mkdir "$root/srv/bridgehead" "$root/old"
(cd "$project" && git ls-files -co --exclude-standard -z | tar --null --ignore-failed-read -T - -cf -) |
  tar -C "$root/srv/bridgehead" -xf -
unshare --mount --propagation=private --pid --fork --kill-child /bin/sh -ec '
  mount --bind "$1" "$1"
  cd "$1"
  mount -t proc proc proc
  mount --rbind /sys sys
  mount --rbind /dev dev
  pivot_root . old
  umount -l /old
  cd /srv/bridgehead
  own=/etc/ssl/own.crt
  [ ! -s "$own" ] || export NODE_EXTRA_CA_CERTS=$own
  unset TMPDIR
  export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
  for name in $(env | sed -n "s/^\(npm_[A-Za-z_0-9]*\)=.*/\1/p"); do unset "$name"; done
  npm ci
  eval "$2"
' sh "$root" "$command"
