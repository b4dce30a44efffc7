# shellcheck shell=sh disable=SC2154
# A part of the probe: how a machine has been set up to run virtual machines. The sender puts it before probe.sh, whose
# functions it uses.

# printed NAME SECONDS COMMAND...: what a command prints, whatever it ends with: some show what they found by that.
printed() {
  k=$1 t=$2
  shift 2
  if ! has "$1"; then put missing - "$k" "$1 is not there"; return; fi
  v=$(within "$t" "$@" 2>/dev/null)
  x=$?
  if [ -n "$v" ] && [ "$x" -lt 124 ]; then put ok "$x" "$k" "$v$nl"; else put failed "$x" "$k" "$1 ended with $x"; fi
}

# picked NAME FILE PATTERN: the lines of a file, which may hold secrets, that a pattern of grep -iE allows to leave the host.
picked() {
  k=$1 f=$2
  if absent "$f"; then put missing - "$k" ''; return; fi
  closed "$f"
  if [ -n "$v" ]; then put failed - "$k" "$v"; return; fi
  set -- "$3" tail -c "$cap" "$f"
  if ! [ -r "$f" ]; then
    if ! sudoer; then put denied - "$k" 'Permission denied'; return; fi
    set -- "$1" within 20 sudo -n tail -c "$cap" "$f"
  fi
  p=$1
  shift
  v=$({ "$@" 2>&1 || echo "${nl}tail ended with $?"; } | grep -iE "$p|^tail(:| ended)" | head -c $((cap + 1)))
  case $v in
    *'tail ended with '*) judge "${v##*tail ended with }" ;;
    *) judge 0 ;;
  esac
  put "$st" - "$k" "${v:+$v$nl}"
}

# Who is in the groups that may use KVM and libvirt. getent ends with 2 where one of them does not exist.
groups() {
  k=nestvirt/groups
  if has getent; then
    v=$(within 10 getent group libvirt kvm 2>/dev/null)
    x=$?
    if [ "$x" = 2 ]; then x=0; fi
  else
    v=$(grep -E '^(libvirt|kvm):' /etc/group 2>/dev/null)
    x=$?
    if [ "$x" = 1 ]; then x=0; fi
  fi
  if [ "$x" = 0 ]; then put ok - $k "${v:+$v$nl}"; else put failed "$x" $k 'the groups cannot be read'; fi
  output nestvirt/id 10 id
}

secure_boot() {
  k=nestvirt/secure_boot
  if ! [ -d /sys/kernel ]; then put failed - $k '/sys is not mounted'; return; fi
  if absent /sys/firmware/efi; then put ok - $k "no EFI$nl"; return; fi
  for p in /sys/firmware/efi/efivars/SecureBoot-*; do
    if [ -r "$p" ] && has od; then
      # Four bytes of attributes, then the value.
      v=$(od -An -tu1 -j4 -N1 "$p" 2>/dev/null)
      case $v in
        *[!01\ ]* | '') ;;
        *) put ok - $k "SecureBoot=${v##* }$nl"; return ;;
      esac
    fi
  done
  set -- /sys/firmware/efi/efivars/Boot*
  if [ -e "$1" ] && ! [ -e "$p" ]; then put ok - $k "no variable$nl"; return; fi
  output $k 10 mokutil --sb-state
}

rotational() {
  k=nestvirt/rotational disks='' unread=''
  if ! [ -d /sys/block ]; then put missing - $k '/sys/block is not there'; return; fi
  for p in /sys/block/*/queue/rotational; do
    d=${p#/sys/block/}
    d=${d%%/*}
    case $d in
      loop* | ram* | zram* | sr* | fd* | nbd* | dm-* | md*) ;;
      *)
        l=
        { read -r l <"$p"; } 2>/dev/null
        if [ -n "$l" ]; then disks="$disks$d $l$nl"; else unread="$unread $d"; fi
        ;;
    esac
  done
  if [ -n "$unread" ]; then put failed - $k "not readable of:$unread"; else put ok - $k "$disks"; fi
}

disk_free() {
  d=/var/lib/libvirt/images
  while [ -n "$d" ] && ! [ -d "$d" ]; do d=${d%/*}; done
  printed nestvirt/df 10 df -Pk / "${d:-/}"
}

# Who may open the device and libvirt's sockets, by names.
access() {
  k=nestvirt/access
  set --
  for p in /dev/kvm /run/libvirt/*-sock*; do
    if [ -e "$p" ]; then set -- "$@" "$p"; fi
  done
  if [ $# = 0 ]; then put ok - $k ''; else output $k 0 ls -l "$@"; fi
}

setup() {
  printed nestvirt/virt-host-validate_qemu 20 virt-host-validate qemu
  printed sos_commands/cloud_init/cloud-init_status_--long 20 cloud-init status --long
  picked var/log/cloud-init-output.log /var/log/cloud-init-output.log \
    'kvm|vmx|svm|virt|nested|hypervisor|modprobe|setup complete|^cloud-init v'
  picked nestvirt/cloud-init_hostname /var/lib/cloud/instance/user-data.txt '^hostname:'
  printed nestvirt/services 10 systemctl show -p Id,LoadState,ActiveState,UnitFileState libvirtd.service libvirtd.socket \
    virtqemud.service virtqemud.socket virtnetworkd.service virtnetworkd.socket libvirt-bin.service
  groups
  secure_boot
  rotational
  disk_free
  access
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
