#!/bin/sh
# shellcheck shell=sh
# The first process of every lab machine. What is special about this one is in /run/lab, which was appended to the
# archive that the kernel started from: `level` (settings), `hostkey`, `root/` (files laid over the system) and, for a
# machine that has a guest, `guest.sh` and `guest.cpio`.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# say WORDS: a mark on the console, which shows a process that waits for this machine how far it has come.
say() {
  # shellcheck disable=SC2034 # the rest is dropped
  read -r up rest </proc/uptime
  # shellcheck disable=SC2154 # level is one of the settings
  echo "nestvirt-lab $level $* up=$up" >/dev/console
}

# load MODULES: those that this kernel has as modules; the rest is built in or has no device here.
load() {
  for module in "$@"; do modprobe -q "$module"; done
}

mount_kernel() {
  /bin/busybox mount -t proc proc /proc
  /bin/busybox --install -s 2>/dev/null
  mount -t sysfs sysfs /sys
  mount -t devtmpfs devtmpfs /dev
}

# The disk holds programs only and is never written: changes go to memory.
enter_disk() {
  load crc32c_generic ext4 overlay
  mkdir -p /disk /changes /new
  mount -t ext4 -o ro,noatime "$disk" /disk || { say no-disk; exec sh; }
  mount -t tmpfs tmpfs /changes
  mkdir -p /changes/upper /changes/work
  mount -t overlay -o lowerdir=/disk,upperdir=/changes/upper,workdir=/changes/work overlay /new
  mkdir -p /new/proc /new/sys /new/dev /new/run /new/tmp /new/root
  mount -t tmpfs -o mode=755 tmpfs /new/run
  cp -a /run/lab /new/run/
  cp -a /init /new/run/lab/init
  umount /proc /sys
  umount -l /dev
  # shellcheck disable=SC2154 # systemd is one of the settings
  if [ -n "$systemd" ]; then enter_systemd; fi
  exec switch_root /new /run/lab/init second
}

# systemd mounts and loads what it needs by itself, and comes back to this script through nestvirt-lab.service.
enter_systemd() {
  cp -a /run/lab/root/. /new/
  chmod 755 /new
  chroot /new depmod
  exec switch_root /new /lib/systemd/systemd
}

network() {
  ip link set lo up
  ip link set eth0 up
  # shellcheck disable=SC2154 # address and gateway are settings
  ip addr add "$address/24" dev eth0
  # shellcheck disable=SC2154
  ip route add default via "$gateway"
}

serve() {
  chmod 700 /root /root/.ssh
  chmod 600 /root/.ssh/authorized_keys
  chmod 755 /
  if dropbear -E -s -p 22 -r /run/lab/hostkey 2>/dev/null; then say ssh; else say no-ssh; fi
}

# The guest's console is part of this machine's, so that one file on the outermost host covers all levels.
run_guest() {
  # shellcheck disable=SC2154 # guest_archives is one of the settings
  for archive in $guest_archives /run/lab/guest.cpio; do cat "$archive"; done >/run/guest-initrd
  say guest-start
  sh /run/lab/guest.sh >/dev/console 2>&1 </dev/null
  say guest-end "$?"
}

# shellcheck disable=SC1091 # written when the lab is made
settings() { . /run/lab/level; }

# All that systemd would do.
be_first() {
  mount_kernel
  settings
  if [ "$1" != second ]; then
    say booted
    # shellcheck disable=SC2154,SC2086 # modules is one of the settings, a list of words
    load $modules
    # shellcheck disable=SC2154 # disk is one of the settings
    if [ -n "$disk" ]; then enter_disk; fi
  fi
  cp -a /run/lab/root/. /
  hostname -F /etc/hostname
  [ -x /usr/bin/kmod ] && depmod
  mkdir -p /dev/pts /root /var/run /var/log
  mount -t devpts devpts /dev/pts
}

case "$1" in
unit)
  busybox --install -s 2>/dev/null
  settings
  ;;
*) be_first "$1" ;;
esac
network
# shellcheck disable=SC2154 # kvm is one of the settings
if [ -n "$kvm" ]; then modprobe "$kvm"; say kvm "$?"; fi
serve
if [ -e /run/lab/guest.sh ]; then run_guest & fi
while :; do sleep 3600 & wait $!; done
