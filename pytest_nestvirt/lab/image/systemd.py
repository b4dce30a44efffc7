"""What systemd, D-Bus and libvirt find in /etc on a machine of a lab, where no maintainer script has been at work."""

from __future__ import annotations

# Names and numbers as Debian's packages choose them.
_USERS = (
    *("root:*:0:0:root:/root:/bin/sh", "messagebus:*:100:107::/nonexistent:/usr/sbin/nologin"),
    "libvirt-qemu:*:64055:106:Libvirt Qemu:/var/lib/libvirt:/usr/sbin/nologin",
    "nobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
)
_GROUPS = (
    *("root:x:0:", "adm:x:4:", "tty:x:5:", "disk:x:6:", "lp:x:7:", "kmem:x:15:", "dialout:x:20:", "cdrom:x:24:"),
    *("tape:x:26:", "audio:x:29:", "shadow:x:42:", "utmp:x:43:", "video:x:44:", "users:x:100:", "input:x:101:"),
    *("sgx:x:102:", "render:x:103:", "kvm:x:106:", "messagebus:x:107:", "libvirt:x:108:", "systemd-journal:x:999:"),
    *("libvirt-qemu:x:64055:", "nogroup:x:65534:"),
)
# An empty file masks a unit (systemd.unit(5)).
_MASKED = (
    # Nobody logs in at a console, and nothing lasts until a timer is due.
    *("getty.target", "systemd-logind.service", "systemd-user-sessions.service", "dpkg-db-backup.timer"),
    *("fstrim.timer", "logrotate.timer", "systemd-tmpfiles-clean.timer"),
    # What an update of /usr requires has been done, or is not needed.
    *("ldconfig.service", "systemd-hwdb-update.service", "systemd-journal-catalog-update.service"),
    *("systemd-sysusers.service", "systemd-update-done.service"),
    # There is no disk to write to, and nothing that was there before.
    *("systemd-journal-flush.service", "systemd-pstore.service", "systemd-random-seed.service"),
    *("systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "libvirt-guests.service"),
    # This kernel has no modules for them here, or they are not used: a second each.
    *("modprobe@.service", "proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service", "dev-hugepages.mount"),
    *("sys-kernel-debug.mount", "sys-kernel-tracing.mount"),
)
_LAB = """\
[Unit]
Description=Network, SSH and guest of this lab
After=libvirtd.service

[Service]
ExecStart=/bin/sh /run/lab/init unit
"""
_WANTED = ("libvirtd.service", "libvirtd.socket", "libvirtd-ro.socket", "virtlogd.socket", "virtlockd.socket")
FILES = {
    "etc/passwd": "".join(f"{user}\n" for user in _USERS),
    "etc/group": "".join(f"{group}\n" for group in _GROUPS),
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    # systemd makes one up, and does not take this for the first boot (machine-id(5)).
    "etc/machine-id": "",
    "etc/fstab": "",
    "etc/locale.conf": "LANG=C\n",
    # Network devices keep the names that the kernel gives them (systemd.link(5)).
    "etc/systemd/network/99-default.link": "",
    # An emulated machine is slow, and slower where others want the processor, too.
    "etc/systemd/system.conf.d/lab.conf": "[Manager]\nShowStatus=no\nDefaultTimeoutStartSec=900\n",
    "etc/systemd/system/nestvirt-lab.service": _LAB,
    "etc/systemd/system/multi-user.target.d/lab.conf": f"[Unit]\nWants=nestvirt-lab.service {' '.join(_WANTED)}\n",
    # Debian's dnsmasq would have brought it.
    "etc/tmpfiles.d/lab.conf": "d /var/lib/libvirt/dnsmasq 0755 root root -\n",
    # Otherwise virtlogd, one more process, stands between a guest's console and that of its host.
    "etc/libvirt/qemu.conf": 'stdio_handler = "file"\n',
    **{f"etc/systemd/system/{unit}": "" for unit in _MASKED},
}
"""By path without the slash in front."""
