# shellcheck shell=bash
# expect: forwarding
printf 'Match User root\n  DisableForwarding no\n  AllowTcpForwarding yes\n' >>/etc/ssh/sshd_config
