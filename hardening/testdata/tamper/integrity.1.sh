# shellcheck shell=bash
# expect: /var/lib/aide/aide.db
systemctl stop icon-integrity.path icon-integrity.service aidecheck.service 2>/dev/null
rm -f /var/lib/aide/aide.db
