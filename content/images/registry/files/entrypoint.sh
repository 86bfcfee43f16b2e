#!/bin/sh
# Serves the registry that a configuration file describes; any other command is run as it is.
set -e
case "$1" in
*.yaml | *.yml) set -- registry serve "$@" ;;
serve | garbage-collect | help | -*) set -- registry "$@" ;;
esac
exec "$@"
