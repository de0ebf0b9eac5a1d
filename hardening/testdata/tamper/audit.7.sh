# shellcheck shell=bash
# expect: icon-audit-files.timer
systemctl -q disable --now icon-audit-files.timer
