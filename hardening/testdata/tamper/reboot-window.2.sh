# shellcheck shell=bash
# expect: icon-reboot.timer
systemctl -q disable --now icon-reboot.timer
