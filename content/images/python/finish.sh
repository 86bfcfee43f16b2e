#!/bin/sh
# Gives Debian's Python the names and the freedom that people know from the python image. usage: finish.sh ROOT
set -eu
root=$1
ln -s /usr/bin/python3 "$root/usr/local/bin/python"
ln -s /usr/bin/python3 "$root/usr/local/bin/python3"
ln -s /usr/bin/pip3 "$root/usr/local/bin/pip"
# In an image of one's own pip may install beside the system's packages.
rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
find "$root/usr" -type d -name __pycache__ -prune -exec rm -rf {} +
