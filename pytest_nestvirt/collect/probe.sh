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
