# shellcheck shell=sh disable=SC2154
# A part of the probe: what ESXi and Proxmox VE report of their virtual machines. The sender puts it before probe.sh, whose
# functions it uses. Other hosts have none of these sections.

# The keys of a .vmx file that are read. The rest stays on the host: guestinfo holds user data, RemoteDisplay passwords.
vmx_keys='\.encoding|displayname|config\.version|virtualhw\.|vhv\.|vvtd\.|vbs\.|windows\.vbs|firmware|uefi\.|vcpu\.'
vmx_keys="$vmx_keys|mem\.|numvcpus|memsize|guestos|pcipassthru|hypervisor\.cpuid|monitor\.|vpmc\.|cpuid\.|uuid\.bios"
vmx_keys="^[[:space:]]*($vmx_keys|sched\.(cpu|mem)\.|ethernet[0-9]+\.(networkname|present))"

vsphere() {
  if ! has esxcfg-info || ! has vim-cmd; then return; fi
  output nestvirt/vsphere/vmware_-v 20 vmware -v
  output nestvirt/vsphere/esxcli_system_version_get 20 esxcli system version get
  output nestvirt/vsphere/esxcli_hardware_memory_get 20 esxcli hardware memory get
  # -w: the hardware alone, which takes less time than everything.
  for p in -w -a; do
    v=$(within 30 esxcfg-info $p 2>/dev/null | grep 'HV Support\.')
    if [ -n "$v" ]; then break; fi
  done
  k=nestvirt/vsphere/hv_support
  if [ -n "$v" ]; then put ok - $k "$v$nl"; else put failed - $k 'esxcfg-info shows no HV Support'; fi
  output nestvirt/vsphere/getallvms 30 vim-cmd vmsvc/getallvms
  flush
  if [ "$x" = 0 ]; then vmx_files; fi
}

# A row is `12  my name  [datastore1] dir/file.vmx  guest  vmx-17  annotation`; names and annotations hold anything, so the
# first part of a row that leads to a file is the file.
vmx_files() {
  number=0
  set -f
  IFS=$nl
  for l in $v; do
    IFS=$ifs
    rest=$l
    while :; do
      case $rest in *\[*'] '*.vmx*) ;; *) break ;; esac
      rest=${rest#*\[}
      p=${rest#*'] '}
      p=${rest%%'] '*}/${p%%.vmx*}.vmx
      if [ -f "/vmfs/volumes/$p" ]; then
        number=$((number + 1))
        if [ "$number" -gt 200 ]; then put truncated - nestvirt/vsphere/files 'more machines than are read'; break 2; fi
        v=$(grep -iE "$vmx_keys" "/vmfs/volumes/$p" 2>&1)
        judge $?
        put "$st" - "nestvirt/vsphere/$p" "$v$nl"
        break
      fi
    done
    IFS=$nl
  done
  set +f
  IFS=$ifs
}

# qm is Perl, and slow: the configurations come from its files, whose snapshots and pending changes are left out.
proxmox() {
  if ! has pveversion; then return; fi
  output nestvirt/proxmox/pveversion 20 pveversion
  set --
  if [ "$uid" != 0 ] && sudoer; then set -- sudo -n; fi
  vms=
  for p in $(within 20 "$@" ls /etc/pve/qemu-server 2>/dev/null); do
    case $p in
      *.conf)
        p=${p%.conf}
        case $p in *[!0-9]*) ;; *) vms="$vms $p" ;; esac
        ;;
    esac
  done
  number=0
  for p in $vms; do
    number=$((number + 1))
    if [ "$number" -gt 400 ]; then put truncated - nestvirt/proxmox/files 'more machines than are read'; break; fi
    v=$(within 10 "$@" sed -n '/^\[/q
/^\(args\|bios\|cores\|cpu\|hostpci[0-9]*\|hotplug\|kvm\|machine\|memory\|name\|net[0-9]*\|numa\|ostype\|sockets\|template\|vmgenid\):/p' \
      "/etc/pve/qemu-server/$p.conf" 2>&1)
    judge $?
    put "$st" - "nestvirt/proxmox/qm_config_$p" "$v$nl"
  done
  flush
  number=0
  for p in $vms; do
    number=$((number + 1))
    if [ "$number" -gt 25 ]; then break; fi
    v=$(within 20 "$@" qm showcmd "$p" 2>/dev/null)
    judge $?
    put "$st" - "nestvirt/proxmox/qm_showcmd_$p" "$v$nl"
  done
  flush
}
