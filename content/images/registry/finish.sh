#!/bin/sh
# Debian's registry under the names that the registry image has. usage: finish.sh ROOT
set -eu
root=$1
ln -s /usr/bin/docker-registry "$root/usr/local/bin/registry"
rm -rf "$root/var/lib/docker-registry"
mkdir -p "$root/var/lib/registry"
