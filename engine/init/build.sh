#!/bin/sh
# Compiles berth-init: sh engine/init/build.sh OUTDIR → OUTDIR/berth-init, static. CC and CFLAGS may be set.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh OUTDIR}
mkdir -p "$out"
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Wshadow -Wconversion -static \
	-fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -Wl,-z,relro,-z,now -Wl,--gc-sections -s ${CFLAGS:-} \
	"$here"/*.c -o "$out/berth-init.new"
mv "$out/berth-init.new" "$out/berth-init"
