# shellcheck shell=sh disable=SC2154
# How fast this machine computes and reaches its memory, with a program that it has. Nothing is written, nothing is kept.
# The sender puts assignments before it: n marks its lines, w is `offer` or the program to use, s the hundredths of a
# second for which each of the two parts runs.
#
#   @NONCE offer python 3.11     a program that is here, and its version: only equals are compared
#   @NONCE build TEXT            which build of it
#   @NONCE cpu COUNT SECONDS     so many steps of a loop over integers
#   @NONCE memory COUNT SECONDS  so many passes over a block that no cache holds
#   @NONCE trouble TEXT          why there is nothing to be had
#   @NONCE end

LC_ALL=C
export LC_ALL
least=196608

say() { printf '@%s %s\n' "$n" "$*"; }

# Kernels before 3.14 have no MemAvailable; their MemFree is less, so it errs on the safe side.
free() {
  f=
  [ -r /proc/meminfo ] || return 1
  while read -r k v _; do
    case $k in
      MemFree:) f=$v ;;
      MemAvailable:) f=$v; break ;;
    esac
  done </proc/meminfo
  [ -n "$f" ]
}

ask='import sys
print("%s %d.%d|%s" % ({"cpython": "python"}.get(sys.implementation.name, sys.implementation.name),
  sys.version_info[0], sys.version_info[1], " ".join(sys.version.split())))'

# A loop of small integers for the processor. For the memory 24 MiB copied within 48, then a byte of every page in turn:
# the copy shows the bandwidth, the strides what translating addresses costs. Both end by the clock.
loop='import sys, time
clock = time.perf_counter
def timed(name, step, seconds):
    step()
    count, begun, spent = 0, clock(), 0.0
    while spent < seconds:
        step()
        count += 1
        spent = clock() - begun
    print("@%s %s %d %.6f" % (sys.argv[1], name, count, spent))
def compute():
    x = 1
    for i in range(10000):
        x = (x * 69069 + i) % 4294967296
first, second = bytearray(b"\x5a") * (24 << 20), bytearray(24 << 20)
def walk():
    second[:] = first
    for offset in range(0, 4096, 256):
        first[offset::4096]
timed("cpu", compute, int(sys.argv[2]) / 100.0)
timed("memory", walk, int(sys.argv[2]) / 100.0)'

# is_python PROGRAM: sets name and build.
is_python() {
  command -v "$1" >/dev/null 2>&1 || return 1
  v=$("$1" -IBS -c "$ask" 2>/dev/null </dev/null) || return 1
  name=${v%%"|"*} build=${v#*"|"}
}

# is_awk COMMAND...: sets name and build. An awk that does not say which one it is can be compared with none.
is_awk() {
  command -v "$1" >/dev/null 2>&1 || return 1
  command -v dd >/dev/null 2>&1 && [ -r /proc/uptime ] && [ -r /dev/zero ] || return 1
  v=$("$@" -W version 2>&1 </dev/null)
  case $v in
    *'BusyBox v'[0-9]*) name=busybox v=${v#*BusyBox v} ;;
    *'GNU Awk '[0-9]*) name=gawk v=${v#*GNU Awk } ;;
    *'mawk '[0-9]*) name=mawk v=${v#*mawk } ;;
    *) return 1 ;;
  esac
  v=${v%%[!0-9.]*}
  x=${v%%.*} y=${v#*.}
  name="$name $x.${y%%.*}" build="$v, Linux $(uname -r)"
}

# Hundredths of a second since boot, without a process of its own.
now() {
  read -r t _ </proc/uptime
  t=${t%.*}${t#*.}
}

compute() { "$@" -v n="$c" 'BEGIN { x = 1; for (i = 0; i < n; i++) x = (x * 69069 + i) % 4294967296 }' </dev/null >/dev/null 2>&1; }
fill() { dd if=/dev/zero of=/dev/null bs=32M count="$c" 2>/dev/null; }

# timed NAME COUNT COMMAND...: runs it for COUNT, and for twice as much until that takes long enough to be timed.
timed() {
  what=$1 c=$2
  shift 2
  while :; do
    now
    b=$t
    "$@" || { say trouble "$1 for $what ended with $?"; return 1; }
    now
    d=$((t - b))
    if [ "$d" -ge "$s" ]; then break; fi
    c=$((c * 2))
  done
  say "$what" "$(printf '%s %s.%02d' "$c" $((d / 100)) $((d % 100)))"
}

# found KIND COMMAND...: offers the program, or runs it if it is the one that is wanted. True if nothing is left to do.
found() {
  kind=$1
  shift
  "is_$kind" "$@" || return 1
  if [ "$w" = offer ]; then say offer "$name"; return 1; fi
  [ "$name" = "$w" ] || return 1
  say build "$build"
  case $kind in
    python) "$1" -IBS -c "$loop" "$n" "$s" 2>/dev/null </dev/null || say trouble "$1 ended with $?" ;;
    awk) timed cpu 16384 compute "$@" && timed memory 1 fill ;;
  esac
  return 0
}

if ! free; then
  say trouble 'it does not show how much memory is free (/proc/meminfo)'
elif [ "$f" -lt "$least" ]; then
  say trouble "$((f / 1024)) MiB of memory are free, and measuring wants $((least / 1024))"
else
  found python python3 || found python /usr/libexec/platform-python || found awk gawk || found awk mawk ||
    found awk awk || found awk busybox awk
fi
say end
