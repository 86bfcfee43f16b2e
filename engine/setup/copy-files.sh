#!/bin/sh
# Lays the files of a recipe over a root directory. Git keeps no owners and of the modes only the executable bit, and
# the umask of whoever cloned must not reach an image. usage: copy-files.sh FILES ROOT
set -eu
umask 022
cd "$1"
find . -type d -exec sh -c 'for d; do [ -d "$0/$d" ] || mkdir "$0/$d"; done' "$2" {} +
find . -type f -perm -100 -exec sh -c 'for f; do install -m 755 "$f" "$0/$f"; done' "$2" {} +
find . -type f ! -perm -100 -exec sh -c 'for f; do install -m 644 "$f" "$0/$f"; done' "$2" {} +
