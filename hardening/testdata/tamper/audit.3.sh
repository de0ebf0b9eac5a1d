# shellcheck shell=bash
# expect: /etc/audit/auditd.conf
sed -i 's/^disk_full_action .*/disk_full_action = halt/; s/^write_logs .*/write_logs = no/' /etc/audit/auditd.conf
