#!/bin/sh
# Turns Debian's nginx into one that serves containers: logs to the container's output, one plain site.
# usage: finish.sh ROOT
set -eu
root=$1
mkdir -p "$root/docker-entrypoint.d"
ln -sf /dev/stdout "$root/var/log/nginx/access.log"
ln -sf /dev/stderr "$root/var/log/nginx/error.log"
# The user that other nginx images (and the lessons written for them) know.
chroot "$root" groupadd --system --gid 101 nginx
chroot "$root" useradd --system --uid 101 --gid nginx --home-dir /nonexistent --no-create-home \
  --shell /bin/false --comment 'nginx user' nginx
rm -rf "$root/etc/nginx/sites-enabled" "$root/etc/nginx/sites-available" "$root/var/www/html"
rmdir "$root/var/www" 2>/dev/null || true
