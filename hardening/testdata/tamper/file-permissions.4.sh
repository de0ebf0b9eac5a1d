# shellcheck shell=bash
# expect: /var/lib/icon-open
mkdir -p /var/lib/icon-open
chmod 0777 /var/lib/icon-open
