#!/bin/sh
# Adds npm from its own registry (Debian's package of it is hundreds of packages) and the user node. usage: finish.sh ROOT
set -eu
root=$1
version=10.9.9
modules=$root/usr/local/lib/node_modules
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# npm checks what it fetched against the registry's own digest of it.
(cd "$work" && npm pack --silent "npm@$version" >/dev/null)
mkdir -p "$modules/npm"
tar -xzf "$work/npm-$version.tgz" -C "$modules/npm" --strip-components=1 --no-same-owner
rm -rf "$modules/npm/docs" "$modules/npm/man"
for program in npm npx; do
  ln -s "../lib/node_modules/npm/bin/$program-cli.js" "$root/usr/local/bin/$program"
  chmod 755 "$modules/npm/bin/$program-cli.js"
done
ln -s /usr/bin/node "$root/usr/local/bin/nodejs"
ln -s /usr/bin/node "$root/usr/local/bin/node"
chroot "$root" groupadd --gid 1000 node
chroot "$root" useradd --uid 1000 --gid node --shell /bin/bash --create-home node
