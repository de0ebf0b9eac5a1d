# shellcheck shell=bash
# expect: /etc/rsyslog.d/60-icon.conf
printf '%s\n' '& stop' '*.* stop' >/etc/rsyslog.d/60-icon.conf
