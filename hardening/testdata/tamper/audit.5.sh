# shellcheck shell=bash
# expect: /etc/audit/rules.d/99-finalize.rules
rm /etc/audit/rules.d/99-finalize.rules
