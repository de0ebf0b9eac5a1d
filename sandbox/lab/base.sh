#!/bin/bash
# Turns a fresh Debian tree ($1) into the root filesystem the sandbox's hosts share.
set -euo pipefail
root=$1

# A host gets its own keys, sources and identity when it is made; none may come from the image.
rm -f "$root"/etc/ssh/ssh_host_*
rm -f "$root"/etc/apt/sources.list.d/*
: > "$root/etc/apt/sources.list"
: > "$root/etc/machine-id"

# Without a resolver line libc asks 127.0.0.1, where nothing listens: a name that is not in /etc/hosts fails at once.
rm -f "$root/etc/resolv.conf"
: > "$root/etc/resolv.conf"

systemctl --root="$root" --quiet enable systemd-networkd.service
# An address that never comes must not hold up a boot: the lab waits for SSH itself.
systemctl --root="$root" --quiet disable systemd-networkd-wait-online.service
# Nobody sits at the console.
systemctl --root="$root" --quiet mask console-getty.service
