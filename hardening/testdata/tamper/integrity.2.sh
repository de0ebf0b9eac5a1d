# shellcheck shell=bash
# expect: aidecheck.timer
systemctl -q disable --now aidecheck.timer
