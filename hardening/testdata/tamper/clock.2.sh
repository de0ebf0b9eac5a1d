# shellcheck shell=bash
# expect: chrony.service
systemctl -q disable chrony.service
