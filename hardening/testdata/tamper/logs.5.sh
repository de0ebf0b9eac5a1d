# shellcheck shell=bash
# expect: logrotate.timer
systemctl -q disable --now logrotate.timer
