# Read by login shells.
if [ -n "${BASH_VERSION-}" ] && [ -r ~/.bashrc ]; then
  . ~/.bashrc
fi
