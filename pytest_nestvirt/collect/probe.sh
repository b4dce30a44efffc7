# shellcheck shell=sh
# Reads what nested virtualization depends on and prints it in frames; writes nothing, anywhere.
#
# It comes on standard input, after two lines of the sender: n=NONCE and b=auto|never. All of it is parsed before any of
# it runs, and commands read from /dev/null, so that none of them can eat the rest. A frame is
#     newline @NONCE STATUS EXIT LENGTH NAME newline BYTES
# with % and newline in NAME written %25 and %0A; LENGTH `-` means: up to a line `@NONCE .`.
# Builtins are preferred to commands: a fork costs more than everything else here, and fifty hosts may share two cores.

nl='
'

# put STATUS EXIT NAME DATA: one frame more; kept back until `flush`, to send few packets.
put() {
  escape "$3"
  out="$out$nl@$n $1 $2 ${#4} $r$nl$4"
  count=$((count + 1))
}

flush() {
  printf %s "$out"
  out=
}

# replace TEXT OLD NEW: into r.
replace() {
  rest=$1 r=
  while :; do
    case $rest in
      *"$2"*) r=$r${rest%%"$2"*}$3 rest=${rest#*"$2"} ;;
      *) break ;;
    esac
  done
  r=$r$rest
}

# escape NAME: into r, fit for the header of a frame.
escape() {
  r=$1
  case $r in *%*) replace "$r" % %25 ;; esac
  case $r in *"$nl"*) replace "$r" "$nl" %0A ;; esac
}

has() { command -v "$1" >/dev/null 2>&1; }

# within SECONDS COMMAND...: not for ever, where the host has a timeout that takes its seconds this way. 0: it waits for nothing.
within() {
  if [ "$bounded" = yes ] && [ "$1" != 0 ]; then timeout "$@"; else shift; "$@"; fi
}

# sudoer: whether sudo asks no password here. Tried once, since a try may be logged.
sudoer() {
  if [ -z "$sudo" ]; then
    if [ "$uid" = 0 ] || [ "$b" = never ] || ! has sudo; then sudo=none
    elif within 10 sudo -n true >/dev/null 2>&1; then sudo=yes
    else sudo=no; fi
  fi
  [ "$sudo" = yes ]
}

# judge EXIT: into st, the result of a reading that printed $v.
judge() {
  st=failed
  if [ "$1" = 0 ]; then
    st=ok
    if [ ${#v} -gt "$cap" ]; then st=truncated; fi
    return
  fi
  case $v in
    *'Permission denied'* | *'not permitted'* | *'denied'*) st=denied ;;
    *'No such file'* | *'No such device or address'*) st=missing ;;
  esac
}

# closed PATH: into v, why it is not opened; nothing if it may be. What is not a regular file may block, and so may a link into the
# file systems of the kernel (/proc/kmsg, which also loses what is read from it).
closed() {
  v=
  if [ -h "$1" ]; then
    v=$(readlink -f "$1" 2>/dev/null)
    case $v in
      '') if [ -e "$1" ]; then v='it is a link, and readlink does not say where it leads'; fi ;;
      /dev/null) v=; return ;;
      /proc/* | /sys/* | /dev/*) v="it is a link to $v, which is not opened" ;;
      *) v= ;;
    esac
  fi
  if [ -z "$v" ] && [ -e "$1" ] && ! [ -f "$1" ]; then v='it is a directory, pipe, socket or device, not a file'; fi
}

# openable NAME: whether /NAME can be opened without waiting; where not, its frame says why.
openable() {
  case $1 in
    proc/* | sys/*) if [ -d "/$1" ]; then v='it is a directory'; else v=; fi ;;
    *) closed "/$1" ;;
  esac
  if [ -n "$v" ]; then put failed - "$1" "$v"; return 1; fi
  if ! [ -r "/$1" ]; then unread "$1"; return 1; fi
}

# file NAME: the contents of /NAME, by one command.
file() {
  openable "$1" || return 0
  v=$(head -c $((cap + 1)) "/$1" 2>&1)
  judge $?
  if [ "$st" = ok ] && [ -n "$v" ]; then v=$v$nl; fi
  put "$st" - "$1" "$v"
}

# line NAME: the same for small files of /proc and /sys, by the shell itself. The shell hides errors of reading: what seems
# empty is read again.
line() {
  openable "$1" || return 0
  v=
  while IFS= read -r l; do v=$v$l$nl; done 2>/dev/null <"/$1"
  v=$v$l
  if [ -z "$v" ]; then file "$1"; else put ok - "$1" "$v"; fi
}

# words NAME: the same for files that hold NULs; they become newlines.
words() {
  openable "$1" || return 0
  v=$({ head -c $((cap + 1)) "/$1" | tr '\000' '\n'; } 2>&1)
  judge 0
  case $v in "head: "*) judge 1 ;; esac
  if [ "$st" = ok ] && [ -n "$v" ]; then v=$v$nl; fi
  put "$st" - "$1" "$v"
}

# unread NAME: /NAME cannot be read by this account: because it is not there, or because it may not look?
unread() {
  v=
  case $1 in
    proc/*) [ -e /proc/self ] || v='/proc is not mounted' ;;
    sys/*) [ -d /sys/kernel ] || v='/sys is not mounted' ;;
  esac
  if [ -n "$v" ]; then put failed - "$1" "$v"; return; fi
  if absent "/${1%/}"; then put missing - "$1" ''; return; fi
  if ! sudoer; then put denied - "$1" 'Permission denied'; return; fi
  case $1 in
    */) v=$(within 20 sudo -n ls -A "/$1" 2>&1) ;;
    *) v=$(within 20 sudo -n head -c $((cap + 1)) "/$1" 2>&1) ;;
  esac
  judge $?
  if [ "$st" = ok ] && [ -n "$v" ]; then v=$v$nl; fi
  put "$st" - "$1" "$v"
}

# link NAME: where /NAME leads, as written there; missing if it is not a link.
link() {
  k=nestvirt/link/$1
  if [ -h "/$1" ]; then
    if v=$(readlink "/$1" 2>/dev/null); then put ok - "$k" "$v$nl"; else put failed - "$k" 'readlink does not read it'; fi
  elif [ -e "/$1" ] || absent "/$1"; then put missing - "$k" 'it is not a link'
  else put denied - "$k" 'Permission denied'; fi
}

# absent PATH: surely not there, that is, the nearest directory above that exists lets this account look. Where a link leads,
# root alone is sure to see.
absent() {
  if [ -e "$1" ]; then return 1; fi
  if [ -h "$1" ] && [ "$uid" != 0 ]; then return 1; fi
  d=$1
  while d=${d%/*} && [ -n "$d" ]; do
    if [ -d "$d" ]; then [ -x "$d" ]; return; fi
  done
  return 0
}

# list NAME/: the names in a directory, one a line; a newline in one of them becomes `\\x0a`, as in the names of sections.
list() {
  if ! [ -d "/$1" ] || ! [ -r "/$1" ] || ! [ -x "/$1" ]; then unread "$1"; return; fi
  v=
  for e in "/$1".[!.]* "/$1"*; do
    if [ -e "$e" ] || [ -h "$e" ]; then
      e=${e##*/}
      case $e in *"$nl"*) replace "$e" "$nl" '\x0a'; e=$r ;; esac
      v=$v$e$nl
    fi
  done
  put ok - "$1" "$v"
}

# output NAME SECONDS COMMAND...: what a command prints, if the host has it and it ends well.
output() {
  k=$1 t=$2
  shift 2
  if ! has "$1"; then put missing - "$k" "$1 is not there"; return; fi
  v=$(within "$t" "$@" 2>/dev/null)
  x=$?
  if [ "$x" = 0 ]; then put ok 0 "$k" "$v$nl"; else put failed $x "$k" "$1 ended with $x"; fi
}

identity() {
  output sos_commands/kernel/uname_-a 0 uname -a
  for k in $small; do line "$k"; done
  cap=8388608
  file proc/cpuinfo
  cap=1048576
  for k in $files; do file "$k"; done
  for k in $links; do link "$k"; done
}

loaded() {
  for m in $modules; do
    k=sys/module/$m
    if [ -d "/$k" ]; then
      put ok - "$k" ''
      line "$k/refcnt"
      for p in /"$k"/parameters/*; do
        if [ -e "$p" ]; then line "${p#/}"; fi
      done
    elif [ -d /sys/module ]; then put missing - "$k" ''
    else put failed - "$k" '/sys/module is not there'; fi
  done
  # A module may lack the parameter: that, too, is an answer.
  for k in $parameters; do
    if ! [ -e "/$k" ]; then unread "$k"; fi
  done
}

# Files that can matter to kvm are read: those with a line that names it, or that stands for the loading of any module (the modules
# that kvm needs differ from kernel to kernel), or with a pattern, or a backslash that may cut a word. Those that were searched are named,
# so that a file without a section is not taken for one that is silent about kvm: it may have been a pipe, or unreadable.
modprobe_files() {
  set --
  for d in $configurations; do
    list "$d"
    for f in "/$d"*.conf "/$d"*.alias; do
      case $f in
        *"$nl"*) file "${f#/}" ;;
        *) if { [ -e "$f" ] || [ -h "$f" ]; } && openable "${f#/}"; then set -- "$@" "$f"; fi ;;
      esac
    done
  done
  k=nestvirt/modprobe_searched/
  if [ $# = 0 ]; then put ok - $k ''; return; fi
  searched=
  for f; do searched=$searched${f#/}$nl; done
  mentions=$(grep -ilsE 'kvm|install|cpu:|[*?[\\]' "$@" 2>/dev/null)
  if [ $? -gt 1 ]; then mentions=; for f; do mentions=$mentions$f$nl; done; searched=; fi
  put ok - $k "$searched"
  set -f
  IFS=$nl
  for f in $mentions; do file "${f#/}"; done
  set +f
  IFS=$ifs
}

device() {
  if absent /dev/kvm; then put missing - dev/kvm ''; return; fi
  v=$(ls -ln /dev/kvm 2>&1)
  judge $?
  put "$st" - dev/kvm "$v$nl"
}

platform() {
  for k in $directories; do list "$k"; done
  for k in $words; do words "$k"; done
  for k in /sys/kernel/mm/hugepages/hugepages-*/nr_hugepages; do
    if [ -e "$k" ]; then line "${k#/}"; fi
  done
  container
  mounts
}

# What is mounted as root, and what lxcfs puts over files of /proc: no other mount is needed.
mounts() {
  k=proc/mounts
  if ! [ -r /$k ]; then unread $k; return; fi
  v=
  while IFS= read -r l; do
    case $l in *' / '* | 'lxcfs /proc/'*) v=$v$l$nl ;; esac
  done 2>/dev/null </$k
  put ok - $k "$v"
}

# The environment of PID 1 may hold secrets: only the value of `container` leaves the host.
container() {
  k=proc/1/environ-container
  if absent /proc/1/environ; then put missing - $k ''; return; fi
  set -- cat
  if ! [ -r /proc/1/environ ]; then
    if ! sudoer; then put denied - $k 'Permission denied'; return; fi
    set -- within 10 sudo -n cat
  fi
  v=$nl$({ "$@" /proc/1/environ 2>&1 || echo "${nl}reading ended with $?"; } | tr '\000' '\n')
  case $v in
    *"${nl}reading ended with "*)
      judge 1
      put "$st" - $k 'the environment of process 1 cannot be read'
      ;;
    *"${nl}container="*)
      v=${v#*"${nl}container="}
      put ok - $k "${v%%"$nl"*}$nl"
      ;;
    *) put missing - $k '' ;;
  esac
}

# called_qemu PROGRAM: whether a process with that argv[0] is QEMU. Its guest agent and its tools have other names than these.
called_qemu() {
  case ${1##*/} in qemu-system-* | qemu-kvm | kvm) ;; *) return 1 ;; esac
}

# The machines that QEMU runs here, by the names of processes; of those that were given another name (-name process=NAME), by their
# first argument. A process that has ended and waits for its parent has no arguments left.
qemu() {
  pids=
  for p in /proc/[0-9]*/comm; do
    l=
    { read -r l <"$p"; } 2>/dev/null
    case $l in
      qemu-system* | qemu-kvm* | qemu:* | qemu | kvm)
        p=${p%/comm}
        pids=$pids${p##*/}$nl
        ;;
    esac
  done
  # shellcheck disable=SC2013 # these paths hold no blanks
  for p in $(grep -lF -e qemu-system- -e kvm /proc/[0-9]*/cmdline 2>/dev/null); do
    p=${p%/cmdline} p=${p##*/}
    case $nl$pids in *"$nl$p$nl"*) continue ;; esac
    v=$({ tr '\n\000' ' \n' <"/proc/$p/cmdline"; } 2>/dev/null)
    if called_qemu "${v%%"$nl"*}"; then pids=$pids$p$nl; fi
  done
  if [ "$uid" != 0 ] && ! [ -r /proc/1/comm ]; then put denied - nestvirt/qemu/ '/proc hides the processes of others'
  else put ok - nestvirt/qemu/ "$pids"; fi
  for p in $pids; do
    v=$({ tr '\n\000' ' \n' <"/proc/$p/cmdline"; } 2>&1)
    judge $?
    if [ "$st" = ok ] && [ -z "$v" ]; then st=missing v='it has ended'; fi
    put "$st" - "nestvirt/qemu/$p" "$v$nl"
  done
}

detection() {
  for k in vm container; do
    if has systemd-detect-virt; then
      v=$(within 10 systemd-detect-virt --$k 2>/dev/null)
      x=$?
      # It ends with 1 when it prints `none`.
      if [ -n "$v" ]; then st=ok; else st=failed v="it ended with $x"; fi
      put "$st" $x nestvirt/systemd-detect-virt_--$k "$v$nl"
    else put missing - nestvirt/systemd-detect-virt_--$k 'systemd-detect-virt is not there'; fi
  done
  output sos_commands/processor/lscpu 10 lscpu
}

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

packages() {
  k=nestvirt/packages
  if [ -e /var/lib/dpkg/status ] && has dpkg-query; then
    # shellcheck disable=SC2016 # the ${} are dpkg's
    v=$(within 30 dpkg-query -W -f '${Status} ${Package} ${Version}\n' 'linux-image-generic*' qemu-kvm 'qemu-system-*' \
      libvirt-daemon libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients libvirt0 virtinst virt-manager \
      cpu-checker bridge-utils ovmf 2>/dev/null)
    x=$?
    good='install ok installed ' none=1
  elif has rpm; then
    v=$(within 30 rpm -q --qf '. %{NAME} %{VERSION}-%{RELEASE}\n' kernel kernel-core kernel-default kernel-alt qemu-kvm \
      qemu-kvm-core qemu-kvm-common qemu-kvm-ma qemu-kvm-rhev qemu-kvm-ev qemu libvirt libvirt-libs libvirt-daemon \
      libvirt-daemon-kvm libvirt-daemon-driver-qemu libvirt-client virt-install virt-manager virt-viewer \
      cockpit-machines edk2-ovmf edk2-aarch64 seabios SLOF kmod tuned redhat-release almalinux-release centos-linux-release centos-release \
      centos-stream-release cloudlinux-release eurolinux-release oraclelinux-release rocky-release sl-release \
      springdale-release 2>/dev/null)
    x=$?
    good='. ' none=0
  else
    put missing - $k 'neither rpm nor dpkg is there'
    return
  fi
  # Both end with an error when a single one is not installed, so what they printed decides, unless they were ended half-way. rpm
  # prints a line for each that is not installed, dpkg-query prints none.
  found=
  set -f
  IFS=$nl
  for l in $v; do
    case $l in "$good"*) found=$found${l#"$good"}$nl ;; esac
  done
  set +f
  IFS=$ifs
  if [ "$x" -ge 124 ] || { [ -z "$v" ] && [ "$x" -gt "$none" ]; }; then
    put failed $x $k "the package manager ended with $x"
  else put ok $x $k "$found"; fi
}

# quoted TEXT: into r, as virsh reads it inside double quotes.
quoted() {
  r=$1
  case $r in *\\*) replace "$r" \\ \\\\ ;; esac
  case $r in *\"*) replace "$r" \" \\\" ;; esac
}

# ask NAME COMMAND: one section more for the next virsh, which prints the frame by its own `echo`: one process for many.
ask() {
  escape "sos_commands/virsh/$1"
  quoted "$r"
  asked="$asked${asked:+; }echo; echo \"@$n ok - - $r\"; $2; echo \"@$n .\""
  count=$((count + 1))
}

# answer VIRSH...: virsh prints the sections asked for, with its errors where they arise: it flushes in between. What is
# printed before the first of them (by sudo, or the loader) comes after a mark that ends no frame, and so spoils none.
answer() {
  out="$out$nl@$n -$nl"
  flush
  if [ -n "$asked" ]; then within 30 "$@" "$asked" 2>&1; fi
  asked=
}

# dump NAME --inactive|"": the XML of one domain. virsh takes a name of digits for an id, that is, for another domain.
dump() {
  k="virsh_-r_dumpxml_${2:+${2}_}$1"
  case $1 in
    *[!0-9]*)
      quoted "$1"
      ask "$k" "dumpxml --domain \"$r\" $2"
      ;;
    *) put failed - "sos_commands/virsh/$k" 'virsh takes a name of digits for an id' ;;
  esac
}

# domains VIRSH...: the XML of every domain, active for those that run, inactive for those that are defined; of each active
# network, too.
domains() {
  v=$(within 30 "$@" "list --name; echo \"@$n\"; list --all --persistent --name; echo \"@$n\"; net-list --name" 2>/dev/null)
  kind='' number=0
  set -f
  IFS=$nl
  for l in $v; do
    if [ "$l" = "@$n" ]; then
      if [ -z "$kind" ]; then kind=--inactive; else kind=network; fi
      continue
    fi
    number=$((number + 1))
    if [ "$number" -gt 400 ]; then put truncated - nestvirt/domains 'more domains than are read'; break; fi
    IFS=$ifs
    if [ "$kind" = network ]; then
      quoted "$l"
      ask "virsh_-r_net-dumpxml_$l" "net-dumpxml --network \"$r\""
    else dump "$l" "$kind"; fi
    if [ ${#asked} -gt 50000 ]; then answer "$@"; fi
    IFS=$nl
  done
  set +f
  IFS=$ifs
  answer "$@"
}

libvirt() {
  if ! has virsh; then
    for k in version list_--all capabilities domcapabilities net-list; do put missing - "sos_commands/virsh/virsh_-r_$k" 'virsh is not there'; done
    return
  fi
  set -- virsh -r -c qemu:///system
  v=$(within 20 "$@" version 2>&1)
  x=$?
  if [ "$x" != 0 ] && [ "$x" != 124 ] && sudoer; then
    set -- sudo -n virsh -c qemu:///system
    v=$(within 20 "$@" version 2>&1)
    x=$?
  fi
  if [ "$x" != 0 ]; then
    if [ "$x" = 124 ]; then v='virsh did not answer within 20 seconds'; fi
    judge "$x"
    if [ "$st" = missing ]; then st=failed; fi
    for k in version list_--all capabilities domcapabilities net-list; do put "$st" "$x" "sos_commands/virsh/virsh_-r_$k" "$v"; done
    return
  fi
  put ok 0 sos_commands/virsh/virsh_-r_version "$v$nl"
  ask 'virsh_-r_list_--all' 'list --all'
  ask virsh_-r_net-list net-list
  domains "$@"
  ask virsh_-r_capabilities capabilities
  ask virsh_-r_domcapabilities domcapabilities
  answer "$@"
}

main() {
  n=${n?} b=${b-auto} LC_ALL=C
  PATH="${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  export LC_ALL PATH
  unset GREP_OPTIONS TIME_STYLE QUOTING_STYLE LIBVIRT_DEBUG IFS
  IFS=" 	$nl"
  ifs=$IFS cap=1048576 count=0 out='' asked='' sudo='' bounded=no v='' l=''
  if [ "${OS-}" = Windows_NT ]; then
    put ok - nestvirt/windows/shell "a POSIX shell on Windows$nl"
    flush
    return
  fi
  uid=$(id -u)
  if has timeout && timeout 9 true 2>/dev/null; then bounded=yes; fi
  identity; flush
  loaded; flush
  modprobe_files; flush
  device; platform; flush
  qemu; flush
  detection
  flush
  kvm
  flush
  log
  flush
  packages
  flush
  setup
  flush
  vsphere
  proxmox
  libvirt
  sudoer
  put ok - nestvirt/whoami "uid=$uid sudo=$sudo$nl"
  flush
  # The last frame has an end mark, so that noise of a shell that logs out cannot spoil it.
  printf '\n@%s ok - - end\n%s\n@%s .\n' "$n" "$((count + 1))" "$n"
}

main </dev/null; exit 0
