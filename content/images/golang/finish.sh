#!/bin/sh
# Debian's Go where the golang image has it, and a compiled standard library is not kept. usage: finish.sh ROOT
set -eu
root=$1
mkdir -p "$root/go/src" "$root/go/bin"
chmod 1777 "$root/go" "$root/go/src" "$root/go/bin"
ln -s /usr/lib/go "$root/usr/local/go"
find "$root"/usr/share/go-* -type d -name testdata -prune -exec rm -rf {} + 2>/dev/null || true
rm -rf "$root"/usr/share/go-*/test
chroot "$root" /usr/bin/go env GOVERSION | sed 's/^go//'
