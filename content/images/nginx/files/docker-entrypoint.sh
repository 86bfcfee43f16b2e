#!/bin/sh
# Runs what /docker-entrypoint.d holds before nginx starts, then becomes the command.
set -e

say() {
  [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $*"
}

case "$1" in
nginx | nginx-debug)
  if [ -d /docker-entrypoint.d ]; then
    for file in /docker-entrypoint.d/*; do
      [ -f "$file" ] || continue
      case "$file" in
      *.envsh)
        say "Sourcing $file"
        . "$file"
        ;;
      *.sh)
        if [ -x "$file" ]; then
          say "Launching $file"
          "$file"
        else
          say "Ignoring $file, not executable"
        fi
        ;;
      *) say "Ignoring $file" ;;
      esac
    done
    say "Configuration complete; ready for start up"
  fi
  ;;
esac

exec "$@"
