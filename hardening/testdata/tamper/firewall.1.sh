# shellcheck shell=bash
# expect: /etc/icon/firewall.nft
sed -i 's/policy drop/policy accept/' /etc/icon/firewall.nft
