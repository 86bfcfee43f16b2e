#!/bin/sh
# Runs redis-server as the user redis, on all addresses of the container. usage: docker-entrypoint.sh COMMAND…
set -e

case "$1" in
-* | *.conf) set -- redis-server "$@" ;;
esac

if [ "$1" = redis-server ]; then
  if [ "$(id -u)" = 0 ]; then
    find . ! -user redis -exec chown redis '{}' +
    exec setpriv --reuid=redis --regid=redis --init-groups "$0" "$@"
  fi
  [ "$(umask)" != 0022 ] || umask 0077
  # Only who can reach the container's network can connect: protection by a loopback address would keep everyone out.
  case "$* " in
  *--protected-mode* | *.conf\ *) ;;
  *) set -- "$@" --protected-mode no ;;
  esac
fi

exec "$@"
