# shellcheck shell=bash
# expect: auditd.service
systemctl -q mask auditd.service
