#!/bin/sh
# Compiles berth-launch. usage: build.sh OUTDIR
set -eu
cd "$(dirname "$0")"
out=${1:?usage: build.sh OUTDIR}
mkdir -p "$out"
${CC:-cc} -std=gnu11 -O2 -Wall -Wextra -Wshadow -Werror -static -o "$out/berth-launch.new" launch.c disk.c mounts.c unpack.c
strip "$out/berth-launch.new" 2>/dev/null || true
mv -f "$out/berth-launch.new" "$out/berth-launch"
