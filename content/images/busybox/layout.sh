#!/bin/sh
# Makes a small root directory out of the extracted package, and prints its version. usage: layout.sh ROOT
set -eu
cd "$1"

program=$(find . -type f -name busybox -path '*bin/*' | head -n 1)
mv "$program" .busybox
for entry in * .[!.]*; do
  [ "$entry" = .busybox ] || rm -rf "$entry"
done

mkdir -p bin dev etc home proc root sys tmp usr/bin usr/sbin var/spool/mail var/www
mv .busybox bin/busybox
chmod 755 bin/busybox
ln -s bin sbin
for applet in $(./bin/busybox --list); do
  [ "$applet" = busybox ] || ln bin/busybox "bin/$applet"
done
ln -s ../../bin/env usr/bin/env
chmod 1777 tmp
chmod 700 root

cat >etc/passwd <<'P'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
P
cat >etc/group <<'P'
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
wheel:x:10:root
mail:x:8:
www-data:x:33:
users:x:100:
nogroup:x:65534:
P
cat >etc/shadow <<'P'
root:*:::::::
daemon:*:::::::
bin:*:::::::
sys:*:::::::
mail:*:::::::
www-data:*:::::::
operator:*:::::::
nobody:*:::::::
P
chmod 640 etc/shadow

./bin/busybox | sed -n '1s/^BusyBox v\([0-9.]*\).*/\1/p'
