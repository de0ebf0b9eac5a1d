# shellcheck shell=bash
# expect: apparmor.service
systemctl -q disable apparmor.service
