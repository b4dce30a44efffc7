# shellcheck shell=sh disable=SC2154
# A part of the probe: what a machine is, which modules it has loaded and would load, and what it runs on.

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
