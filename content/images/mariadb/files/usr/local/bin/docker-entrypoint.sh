#!/bin/bash
# Makes the system tables on the first start, sets users and a database as the environment says, runs
# /docker-entrypoint-initdb.d, then becomes the server. Variables (MYSQL_ instead of MARIADB_ works too, and NAME_FILE):
# MARIADB_ROOT_PASSWORD, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD, MARIADB_RANDOM_ROOT_PASSWORD, MARIADB_ROOT_HOST,
# MARIADB_DATABASE, MARIADB_USER, MARIADB_PASSWORD.
set -eo pipefail

note() { echo "$(date --rfc-3339=seconds) [Note] [Entrypoint]: $*"; }
fail() {
  echo >&2 "$(date --rfc-3339=seconds) [ERROR] [Entrypoint]: $*"
  exit 1
}

# setting NAME [DEFAULT]: from MARIADB_NAME, MARIADB_NAME_FILE, or the same with MYSQL_
setting() {
  local name value=${2:-} file
  for name in "MYSQL_$1" "MARIADB_$1"; do
    file=${name}_FILE
    if [ -n "${!name}" ] && [ -n "${!file}" ]; then fail "Both $name and $file are set (but are exclusive)"; fi
    if [ -n "${!name}" ]; then value=${!name}; elif [ -n "${!file}" ]; then value=$(<"${!file}"); fi
  done
  printf -v "$1" '%s' "$value"
}

# quoted TEXT: as a string of SQL
quoted() {
  local text=${1//\\/\\\\}
  printf "'%s'" "${text//\'/\\\'}"
}

# named TEXT: as an identifier of SQL
named() { printf '`%s`' "${1//\`/\`\`}"; }

sql() { mariadb --protocol=socket --user=root --socket="$SOCKET" --comments "$@"; }

start_for_setup() {
  "$@" --skip-networking --default-time-zone=SYSTEM --socket="$SOCKET" --loose-innodb_buffer_pool_load_at_startup=0 &
  SERVER=$!
  local i
  for i in $(seq 300); do
    if sql --execute 'SELECT 1' >/dev/null 2>&1; then return; fi
    kill -0 "$SERVER" 2>/dev/null || fail 'the server ended while it was set up'
    sleep 0.1
  done
  fail 'Unable to start server.'
}

set_up_users() {
  if [ -n "$RANDOM_ROOT_PASSWORD" ]; then
    ROOT_PASSWORD=$(head -c 24 /dev/urandom | base64)
    note "GENERATED ROOT PASSWORD: $ROOT_PASSWORD"
  fi
  {
    if [ "$ROOT_HOST" != localhost ]; then
      echo "CREATE USER IF NOT EXISTS root@$(quoted "$ROOT_HOST") IDENTIFIED BY $(quoted "$ROOT_PASSWORD");"
      echo "GRANT ALL ON *.* TO root@$(quoted "$ROOT_HOST") WITH GRANT OPTION;"
    fi
    if [ -n "$DATABASE" ]; then echo "CREATE DATABASE IF NOT EXISTS $(named "$DATABASE");"; fi
    if [ -n "$USER_NAME" ]; then
      echo "CREATE USER $(quoted "$USER_NAME")@'%' IDENTIFIED BY $(quoted "$PASSWORD");"
      if [ -n "$DATABASE" ]; then echo "GRANT ALL ON $(named "${DATABASE//_/\\_}").* TO $(quoted "$USER_NAME")@'%';"; fi
    fi
  } | sql
}

run_init_files() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
    *.sh)
      note "running $file"
      if [ -x "$file" ]; then "$file"; else . "$file"; fi
      ;;
    *.sql) note "running $file" && sql ${DATABASE:+"$DATABASE"} <"$file" ;;
    *.sql.gz) note "running $file" && gunzip -c "$file" | sql ${DATABASE:+"$DATABASE"} ;;
    *.sql.xz) note "running $file" && xzcat "$file" | sql ${DATABASE:+"$DATABASE"} ;;
    */\*) ;;
    *) note "ignoring $file" ;;
    esac
  done
}

first_start() {
  note 'Initializing database files'
  mariadb-install-db --datadir="$DATADIR" --skip-test-db --auth-root-authentication-method=normal --skip-log-bin >/dev/null
  note 'Database files initialized'
  start_for_setup "$@"
  set_up_users
  run_init_files
  # root's password comes last: until then the local socket needs none.
  sql --execute "ALTER USER root@localhost IDENTIFIED BY $(quoted "$ROOT_PASSWORD"); FLUSH PRIVILEGES"
  note 'Stopping temporary server'
  kill "$SERVER"
  wait "$SERVER"
  note 'MariaDB init process done. Ready for start up.'
}

[ "${1:0:1}" != - ] || set -- mariadbd "$@"
if [ "$1" = mariadbd ] || [ "$1" = mysqld ]; then
  case " $* " in *' --help '* | *' -? '* | *' --version '* | *' -V '*) exec "$@" ;; esac
  DATADIR=/var/lib/mysql
  SOCKET=/run/mysqld/mysqld.sock
  mkdir -p /run/mysqld "$DATADIR"
  if [ "$(id -u)" = 0 ]; then
    chown mysql:mysql /run/mysqld
    find "$DATADIR" ! -user mysql -exec chown mysql:mysql '{}' +
    exec setpriv --reuid=mysql --regid=mysql --init-groups -- "${BASH_SOURCE[0]}" "$@"
  fi
  if ! [ -d "$DATADIR/mysql" ]; then
    setting ROOT_PASSWORD
    setting ALLOW_EMPTY_ROOT_PASSWORD
    setting ALLOW_EMPTY_PASSWORD
    setting RANDOM_ROOT_PASSWORD
    setting ROOT_HOST %
    setting DATABASE
    setting PASSWORD
    setting USER
    USER_NAME=$USER
    if [ -z "$ROOT_PASSWORD$ALLOW_EMPTY_ROOT_PASSWORD$ALLOW_EMPTY_PASSWORD$RANDOM_ROOT_PASSWORD" ]; then
      fail 'Database is uninitialized and password option is not specified. You need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD and MARIADB_RANDOM_ROOT_PASSWORD'
    fi
    first_start "$@"
  fi
fi

exec "$@"
