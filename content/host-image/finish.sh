#!/bin/sh
# Last touches to the lab host's root directory, after its packages and files are in. usage: finish.sh ROOT
set -eu
root=$1

# The student's Docker socket belongs to this group; the engine knows the number.
chroot "$root" groupadd --system --gid 999 docker
# vim-tiny is only there as vi; students type vim.
[ -e "$root/usr/bin/vim" ] || ln -s vi "$root/usr/bin/vim"
# The completion of exactly this docker, whatever the package brought.
chroot "$root" docker completion bash >"$root/usr/share/bash-completion/completions/docker"

# What must differ from sandbox to sandbox, or is written when one starts.
: >"$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root/etc/hostname" "$root/etc/resolv.conf"
echo lab >"$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
: >"$root/etc/resolv.conf"
: >"$root/etc/motd"
mkdir -p "$root/var/lib/docker" "$root/run/docker" "$root/run/berth"
rm -rf "$root"/dev/*
rm -rf "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/var/log/*.log "$root"/var/log/apt/* \
  "$root"/var/cache/ldconfig/aux-cache "$root"/tmp/* "$root"/root/.bash_history
