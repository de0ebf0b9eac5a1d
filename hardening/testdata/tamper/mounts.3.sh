# shellcheck shell=bash
# expect: icon-mounts.service
systemctl -q disable icon-mounts.service
