# shellcheck shell=bash
# expect: /var/log/syslog
chmod 0644 /var/log/syslog
