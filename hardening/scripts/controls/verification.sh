# shellcheck shell=bash disable=SC2154
verification() {
  want_file 0644 root:root /etc/systemd/system/icon-hardening.service <<<"$VERIFICATION_SERVICE"
  want_file 0644 root:root /etc/systemd/system/icon-hardening.timer <<UNIT
# Made by pulumi-icon.
[Unit]
Description=Comparison of this host with what the deploy wanted, every $VERIFICATION_EVERY_MINUTES minutes

[Timer]
OnActiveSec=${VERIFICATION_EVERY_MINUTES}min
OnUnitActiveSec=${VERIFICATION_EVERY_MINUTES}min
# Not all hosts at one time.
RandomizedDelaySec=$((VERIFICATION_EVERY_MINUTES * 15))s

[Install]
WantedBy=timers.target
UNIT
  if applying && needs_reload; then
    systemctl daemon-reload
    # One that runs would keep its old interval until its next turn.
    systemctl -q try-restart icon-hardening.timer
  fi
  want_on icon-hardening.timer
}

verification_verify() {
  expect "the last comparison (journalctl -u icon-hardening)" success "$(systemctl show -P Result icon-hardening.service)"
}

# It has to see the host as it is: with mounts, /proc, devices or users of its own (ProtectSystem=, ProtectKernelTunables=, PrivateTmp= and the
# like) it would compare those. What is taken from it is what no comparison needs: the network, new namespaces but nft's, modules, the clock,
# devices.
VERIFICATION_SERVICE='# Made by pulumi-icon.
[Unit]
Description=Comparison of this host with what the deploy wanted
# There once the first deploy has ended.
ConditionPathExists=/usr/local/lib/icon/hardening

[Service]
Type=oneshot
# A step that is running is waited for, with the lock of all steps. Drifts are warnings of the journal.
ExecStart=/bin/bash -o pipefail -c '\''exec 9>>/run/icon/lock; flock -w 900 9 || exit 1; /bin/bash /usr/local/lib/icon/hardening verify 3>&1 >/dev/null 9>&- | sed -n -e "s/\\t/: /g" -e "s/^drift: /<4>drift: /p" -e "s/^fail: /<3>failed: /p"'\''
StandardInput=null
TimeoutStartSec=20min
UMask=0077
Nice=19
IOSchedulingClass=idle
RuntimeDirectory=icon
RuntimeDirectoryMode=0700
RuntimeDirectoryPreserve=yes
NoNewPrivileges=yes
ProtectClock=yes
ProtectHostname=yes
DevicePolicy=closed
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictNamespaces=net
RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6
IPAddressDeny=any
IPAddressAllow=localhost
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
CapabilityBoundingSet=CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_SETUID CAP_SETGID CAP_SYS_ADMIN CAP_NET_ADMIN CAP_SYS_PTRACE
CapabilityBoundingSet=CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_AUDIT_WRITE CAP_MAC_ADMIN'
