# shellcheck shell=bash
# expect: icon-firewall.service
systemctl -q disable icon-firewall.service
