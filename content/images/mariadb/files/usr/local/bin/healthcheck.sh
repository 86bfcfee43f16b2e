#!/bin/bash
# Tests for a HEALTHCHECK, all of which must hold. usage: healthcheck.sh [--connect] [--innodb_initialized] [--su=USER]…
set -eo pipefail

# A server that asks for a password answers: that is enough to know that it takes connections.
connect() {
  local answer
  answer=$(mariadb --no-defaults --protocol=tcp --host=127.0.0.1 --user=healthcheck --skip-ssl -e 'SELECT 1' 2>&1) && return 0
  [[ $answer == *'ERROR 1045'* || $answer == *'ERROR 1698'* ]]
}

[ $# -gt 0 ] || set -- --connect
for check; do
  case $check in
  --connect | --innodb_initialized) connect ;;
  --su=* | --su-mysql | --no-defaults) ;;
  *)
    echo >&2 "healthcheck.sh: unknown option $check"
    exit 1
    ;;
  esac
done
