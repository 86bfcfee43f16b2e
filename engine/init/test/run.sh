#!/bin/sh
# Unit tests and a bounded fuzz run under AddressSanitizer and UBSan: sh engine/init/test/run.sh OUTDIR [FUZZ-SECONDS]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: run.sh OUTDIR [FUZZ-SECONDS]}
seconds=${2:-10}
mkdir -p "$out"
flags="-std=gnu11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Werror -fno-omit-frame-pointer"
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all"
init=$here/..
export ASAN_OPTIONS=detect_leaks=1

${CC:-cc} $flags $sanitize "$here/unit.c" "$init/frame.c" "$init/log.c" "$init/ring.c" -o "$out/unit"
"$out/unit"

if command -v clang >/dev/null && clang $flags $sanitize -fsanitize=fuzzer "$here/fuzz.c" "$init/frame.c" "$init/log.c" \
	-o "$out/fuzz" 2>"$out/fuzz.err"; then
	mkdir -p "$out/found"
	"$out/fuzz" -max_total_time="$seconds" -max_len=65536 -print_final_stats=1 -artifact_prefix="$out/" \
		"$out/found" "$here/corpus" 2>"$out/fuzz.log" || { cat "$out/fuzz.log"; exit 1; }
	grep number_of_executed "$out/fuzz.log"
else
	cat "$out/fuzz.err" 2>/dev/null || true # clang without libFuzzer
	${CC:-cc} $flags $sanitize -DSTANDALONE "$here/fuzz.c" "$init/frame.c" "$init/log.c" -o "$out/fuzz"
	"$out/fuzz" "$seconds" "$here"/corpus/*
fi
