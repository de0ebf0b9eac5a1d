# shellcheck shell=bash
# expect: icon-hardening.timer
systemctl disable --now icon-hardening.timer
