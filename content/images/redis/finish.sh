#!/bin/sh
# Turns Debian's Redis into one that serves containers: no daemon, no log files, data in /data. usage: finish.sh ROOT
set -eu
root=$1
# The ids that other redis images have, so that volumes can move between them.
chroot "$root" sh -c 'usermod --uid 999 --home /data redis && groupmod --gid 999 redis'
rm -rf "$root/etc/redis" "$root/etc/init.d/redis-server" "$root/etc/default/redis-server" "$root/etc/logrotate.d/redis-server" \
  "$root/var/lib/redis" "$root/var/log/redis"
mkdir "$root/data"
chroot "$root" chown redis:redis /data
