#!/bin/sh
# usage: build.sh ROOT
set -eu
here=$(dirname "$0")
${CC:-cc} -std=c11 -Os -Wall -Wextra -Werror -static -s -o "$1/hello" "$here/hello.c"
