# shellcheck shell=sh disable=SC2154
# A part of the probe: how a file, a link, a directory or the output of a command is read and printed as a frame.

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
