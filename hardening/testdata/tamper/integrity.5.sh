# shellcheck shell=bash
# expect: chkrootkit.timer
systemctl -q disable --now chkrootkit.timer
