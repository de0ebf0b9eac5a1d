# shellcheck shell=bash
# expect: /etc/audit/rules.d/50-icon.rules
rm /etc/audit/rules.d/50-icon.rules
