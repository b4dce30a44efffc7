# shellcheck shell=sh disable=SC2154
# A part of the probe: the guests that run here, by their processes and by libvirt.

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
