# shellcheck shell=bash
# expect: /etc/audit/audit.rules
printf '%s\n' '-D' '-e 0' >/etc/audit/audit.rules
