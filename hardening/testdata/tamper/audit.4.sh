# shellcheck shell=bash
# expect: auditd.service
systemctl -q disable auditd.service
