#!/bin/sh
# Turns Debian's PostgreSQL into one that serves containers: no cluster yet (the entry point makes it), usual ids.
# usage: finish.sh ROOT
set -eu
root=$1
chroot "$root" sh -c 'usermod --uid 999 postgres && groupmod --gid 999 postgres'
rm -rf "$root/var/lib/postgresql" "$root/etc/postgresql" "$root/var/log/postgresql" "$root/etc/ssl/private/ssl-cert-snakeoil.key"
# Compiling queries to machine code is 130 MB of LLVM; without it PostgreSQL interprets them.
rm -rf "$root"/usr/lib/postgresql/17/lib/llvmjit* "$root"/usr/lib/postgresql/17/lib/bitcode \
  "$root"/usr/lib/*-linux-gnu/libLLVM* "$root"/usr/lib/llvm-* "$root"/usr/lib/*-linux-gnu/libz3.so*
mkdir -p "$root/docker-entrypoint-initdb.d" "$root/var/lib/postgresql/data" "$root/var/run/postgresql"
chroot "$root" chown -R postgres:postgres /var/lib/postgresql
chmod 700 "$root/var/lib/postgresql/data"
# The server listens to the container's network; who may log in is said in pg_hba.conf.
sed -i "s/^#\?listen_addresses .*/listen_addresses = '*'/" "$root/usr/share/postgresql/17/postgresql.conf.sample"
