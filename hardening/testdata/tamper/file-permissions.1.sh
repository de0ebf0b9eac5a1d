# shellcheck shell=bash
# expect: /etc/shadow
chmod 0644 /etc/shadow
