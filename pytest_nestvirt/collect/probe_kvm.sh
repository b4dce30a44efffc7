# shellcheck shell=sh disable=SC2154
# A part of the probe: what the kernel log and KVM itself show.

# kernel_log [sudo -n]: lines that concern virtualization; a mark of our own shows how dmesg ended.
kernel_log() {
  v=$({ within 20 "$@" dmesg 2>&1 || echo "dmesg ended with $?"; } |
    grep -iE 'kvm|vmx|svm|sie|hypervisor|iommu|virt|dmar|amd-vi|nested|bug|oops|panic|general protection|memory encryption|encrypted|^dmesg' | head -c $((cap + 1)))
  case $v in
    *'dmesg ended with '*) judge "${v##*dmesg ended with }" ;;
    *) judge 0 ;;
  esac
}

log() {
  k=sos_commands/kernel/dmesg
  if ! has dmesg; then put missing - $k 'dmesg is not there'; return; fi
  kernel_log
  if [ "$st" = denied ] && sudoer; then kernel_log sudo -n; fi
  put "$st" - $k "$v$nl"
}

# What KVM itself answers. _IO() carries a direction bit on some architectures; on arm64 a machine may need to be told
# the width of its addresses. One error is printed, by its name.
questions='
import sys
if "" in sys.path: sys.path.remove("")
import errno, fcntl, os, stat
say = sys.stdout.write
def name(e): return errno.errorcode.get(e.errno, str(e.errno))
def ask(fd, number, argument=0):
    base = 0x20000000 if os.uname()[4][:3] in ("ppc", "mip", "spa", "alp") else 0
    for attempt in range(9):
        try: return fcntl.ioctl(fd, base | number, argument)
        except (IOError, OSError):
            if sys.exc_info()[1].errno != errno.EINTR: raise
    raise OSError(errno.EINTR, "interrupted")
def create(fd):
    try: return ask(fd, 0xAE01)
    except (IOError, OSError):
        width = ask(fd, 0xAE03, 165)
        if sys.exc_info()[1].errno != errno.EINVAL or width <= 0: raise
        return ask(fd, 0xAE01, width)
try:
    node = os.stat("/dev/kvm")
    if not stat.S_ISCHR(node.st_mode) or node.st_rdev != os.makedev(10, 232):
        raise OSError(errno.ENOTTY, "another device")
    fd = os.open("/dev/kvm", os.O_RDWR)
    say("api=%d\n" % ask(fd, 0xAE00))
    try:
        os.close(create(fd))
        say("create_vm=ok\n")
    except (IOError, OSError): say("create_vm=%s\n" % name(sys.exc_info()[1]))
    say("nested_state=%d\n" % ask(fd, 0xAE03, 157))
except (IOError, OSError): say("error=%s\n" % name(sys.exc_info()[1]))
'

# registered: whether the kernel has a device behind the node. Opening a node without one makes it load the module that has the alias
# of that node (drivers/char/misc.c, misc_open), on just those hosts where it was not to be loaded. /proc/misc is the list it looks at.
registered() {
  if [ -r /proc/misc ]; then
    while read -r l v; do
      if [ "$l $v" = '232 kvm' ]; then return 0; fi
    done </proc/misc
    return 1
  fi
  if [ -d /sys/class/misc ]; then [ -e /sys/class/misc/kvm ]; return; fi
  return 2
}

kvm() {
  k=nestvirt/kvm_ioctl
  if absent /dev/kvm; then put ok - $k "error=ENOENT$nl"; return; fi
  if ! [ -c /dev/kvm ]; then put ok - $k "error=ENOTTY$nl"; return; fi
  registered
  case $? in
    1) put ok - $k "registered=no$nl"; return ;;
    2) put failed - $k 'whether KVM is loaded cannot be seen, and opening /dev/kvm may load it'; return ;;
  esac
  for p in /usr/bin/python3 /usr/libexec/platform-python python3 python python2 ''; do
    if [ -n "$p" ] && has "$p"; then break; fi
  done
  if [ -z "$p" ]; then put missing - $k 'no Python on this host'; return; fi
  v=$(within 20 "$p" -BEsSc "$questions" 2>&1)
  x=$?
  case $v in
    *error=EACCES* | *error=EPERM*)
      if sudoer; then
        v=$(within 20 sudo -n "$p" -BEsSc "$questions" 2>&1)
        x=$?
      fi
      ;;
  esac
  case $x:$v in
    *:*error=EACCES* | *:*error=EPERM*) put denied $x $k "/dev/kvm: ${v#error=}" ;;
    0:*) put ok 0 $k "$v$nl" ;;
    *) put failed $x $k "$p ended with $x: $v" ;;
  esac
}
