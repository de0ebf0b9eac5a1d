# shellcheck shell=bash disable=SC2154
# A core file is a copy of a process's memory: of the node's key, too. See also fs.suid_dumpable in kernel-settings.

core_dumps() {
  want_file 0644 root:root /etc/security/limits.d/60-icon-core.conf <<'END'
# Made by pulumi-icon. "*" does not count for root.
* hard core 0
* soft core 0
root hard core 0
root soft core 0
END
  want_file 0644 root:root /etc/systemd/coredump.conf.d/60-icon.conf <<'END'
# Made by pulumi-icon. Should systemd-coredump be installed, it keeps nothing.
[Coredump]
Storage=none
ProcessSizeMax=0
END
  want_file 0644 root:root /etc/systemd/system.conf.d/60-icon-core.conf <<'END'
# Made by pulumi-icon. For all services that say nothing else, from their next start on.
[Manager]
DefaultLimitCORE=0:0
END
  want_file 0644 root:root /etc/profile.d/60-icon-core.sh <<'END'
# Made by pulumi-icon. For logins that PAM's limits do not reach.
ulimit -c 0 2>/dev/null || true
END
}

core_dumps_apply() {
  if needs_reload; then units_changed; fi
}

core_dumps_verify() {
  expect "core size of services (DefaultLimitCORE)" 0 "$(systemctl show -P DefaultLimitCORE)"
}
