#!/bin/sh
# Last touches to Debian's root directory. usage: finish.sh ROOT
set -eu
root=$1
rm -rf "$root"/dev/*
rm -f "$root/etc/apt/sources.list" "$root/etc/hostname" "$root/etc/resolv.conf" "$root/etc/machine-id"
: >"$root/etc/machine-id"
cat >"$root/etc/apt/sources.list.d/debian.sources" <<'S'
Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp
S
# Debian's keyring is a file with this name since trixie; older snapshots have only the other one.
[ -e "$root/usr/share/keyrings/debian-archive-keyring.pgp" ] || sed -i s/keyring.pgp/keyring.gpg/ "$root/etc/apt/sources.list.d/debian.sources"
rm -rf "$root"/var/cache/debconf/*-old "$root"/var/lib/dpkg/*-old "$root"/var/log/*.log "$root"/var/log/apt/* \
  "$root"/var/cache/ldconfig/aux-cache "$root"/var/cache/apt/*.bin "$root"/tmp/* "$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow-
