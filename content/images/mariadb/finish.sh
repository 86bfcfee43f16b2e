#!/bin/sh
# Turns Debian's MariaDB into one that serves containers: all addresses, data in /var/lib/mysql, no names looked up.
# usage: finish.sh ROOT
set -eu
root=$1
chroot "$root" groupadd --system --gid 999 mysql
chroot "$root" useradd --system --uid 999 --gid mysql --home-dir /var/lib/mysql --no-create-home --shell /usr/sbin/nologin mysql
rm -rf "$root/var/lib/mysql"
mkdir -p "$root/var/lib/mysql" "$root/docker-entrypoint-initdb.d" "$root/etc/mysql/conf.d" "$root/etc/mysql/mariadb.conf.d"
chroot "$root" chown mysql:mysql /var/lib/mysql
cat >"$root/etc/mysql/mariadb.conf.d/05-container.cnf" <<'C'
[mariadbd]
host-cache-size = 0
skip-name-resolve
bind-address = *
pid-file = /run/mysqld/mysqld.pid
socket = /run/mysqld/mysqld.sock

[client-server]
socket = /run/mysqld/mysqld.sock
C
