#!/bin/sh
# Puts Debian's Apache where texts about the httpd image look for it: /usr/local/apache2. usage: finish.sh ROOT
set -eu
root=$1
prefix=$root/usr/local/apache2
mkdir -p "$prefix/bin" "$prefix/logs" "$prefix/cgi-bin"
ln -s /usr/lib/apache2/modules "$prefix/modules"
ln -s /usr/sbin/apache2 "$prefix/bin/httpd"
for program in ab htpasswd htdigest rotatelogs logresolve; do
  if [ -e "$root/usr/bin/$program" ]; then ln -s "/usr/bin/$program" "$prefix/bin/$program"; fi
done
chroot "$root" chown www-data:www-data /usr/local/apache2/logs
