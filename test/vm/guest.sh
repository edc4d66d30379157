#!/bin/sh
# Process 1 of a guest: makes a scratch host of it, runs one test file, and tells the console what came out.
#
#   guest.sh scratch-host FOLDER
#
# FOLDER/settings sets the variables in capitals below. The root is the host's, read-only; whatever a test writes lies
# in memory and ends with the guest. The console's language is read by console.ts.

mount -t proc proc /proc
mount -t sysfs sysfs /sys
# Only what ends the kernel may come between the lines of the report.
echo 1 > /proc/sys/kernel/printk
. "$2/settings"

mark() { echo "@@$TOKEN $*"; }

# A view of the host's files under the folders that are covered next, for those that must stay in sight.
mount -t tmpfs tmpfs /mnt
mkdir /mnt/host
mount --bind / /mnt/host
for folder in /tmp /var/tmp /run /var/lib; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
[ ! -d /etc/cni ] || mount -t tmpfs tmpfs /etc/cni
printf '%s\n' "$VISIBLE" | while read -r folder; do
  case $folder in /tmp/* | /var/tmp/* | /run/* | /var/lib/*)
    mkdir -p "$folder"
    mount --bind "/mnt/host$folder" "$folder"
    ;;
  esac
done

# The kernel asks a program for its modules, which need not lie in /lib/modules.
mkdir -p /run/netns /mnt/modules/lib/modules
ln -s "$MODULES/$(uname -r)" /mnt/modules/lib/modules/
printf '#!/bin/sh\nexec /sbin/modprobe -d /mnt/modules "$@"\n' > /mnt/modprobe
chmod 755 /mnt/modprobe
echo /mnt/modprobe > /proc/sys/kernel/modprobe
# Nothing asks for this one by itself.
/mnt/modprobe -q ipv6

ip link set lo up
cd "$PROJECT" || mark trouble no project
mark start
# Through a pipe: no program here writes for a terminal.
{
  "$BUN" test --only-failures "--timeout=$TEST_TIMEOUT" --reporter=junit --reporter-outfile=/mnt/report "./$FILE" 2>&1
  echo $? > /mnt/status
} | cat
if [ -s /mnt/report ]; then
  set -- $(sha256sum /mnt/report)
  mark report "$(cat /mnt/status)" "$1"
  base64 /mnt/report
else
  mark report "$(cat /mnt/status)" none
fi
mark end
# A process 1 that ends is a panic. The host ends the guest.
exec sleep infinity
