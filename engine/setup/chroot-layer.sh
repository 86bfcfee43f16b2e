#!/bin/sh
# Makes one image layer: an overlay above LOWER, in it packages are installed, files laid over, a script run. What
# changed is left in UPPER. Runs in a mount namespace of its own (program.ts), so nothing is unmounted here.
# usage: chroot-layer.sh LOWER UPPER WORK MERGED SOURCES FILES|- SCRIPT|- PACKAGE…
set -eu
lower=$1 upper=$2 work=$3 merged=$4 sources=$5 files=$6 script=$7
shift 7
umask 022

mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work,userxattr" "$merged"
mount -t proc proc "$merged/proc"
mount -t tmpfs -o mode=755 tmpfs "$merged/dev"
for device in null zero full random urandom; do
  : >"$merged/dev/$device"
  mount --bind "/dev/$device" "$merged/dev/$device"
done
ln -s /proc/self/fd "$merged/dev/fd"
mount -t tmpfs -o mode=755 tmpfs "$merged/run"
mount -t tmpfs -o mode=1777 tmpfs "$merged/tmp"

if [ $# -gt 0 ]; then
  # What apt needs and the layer must not keep lies on file systems of its own. Its key and trust databases do not
  # change here.
  for dir in /var/cache/apt /var/lib/apt/lists /etc/apt/sources.list.d; do
    mount -t tmpfs -o mode=755 tmpfs "$merged$dir"
  done
  mkdir -p "$merged/var/cache/apt/archives/partial" "$merged/var/lib/apt/lists/partial"
  cp "$sources" "$merged/etc/apt/sources.list.d/berth.list"
  cp /etc/resolv.conf "$merged/run/resolv.conf"
  ln -s /run/resolv.conf "$merged/etc/resolv.conf"
  # Services are for the container's own command to start.
  printf '#!/bin/sh\nexit 101\n' >"$merged/usr/sbin/policy-rc.d"
  chmod 755 "$merged/usr/sbin/policy-rc.d"

  chroot "$merged" apt-get update
  chroot "$merged" apt-get install -y --no-install-recommends "$@"

  rm -f "$merged/usr/sbin/policy-rc.d" "$merged/etc/resolv.conf"
fi
[ "$files" = - ] || "$(dirname "$0")/copy-files.sh" "$files" "$merged"
[ "$script" = - ] || "$script" "$merged"

if [ $# -gt 0 ]; then
  # What apt and its friends leave behind that differs from build to build or is of no use.
  cd "$merged"
  rm -rf var/cache/debconf/*-old var/lib/dpkg/*-old var/log/*.log var/log/apt/* var/cache/ldconfig/aux-cache \
    etc/passwd- etc/group- etc/shadow- etc/gshadow- etc/subuid- etc/subgid-
fi
