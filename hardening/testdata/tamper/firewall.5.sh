# shellcheck shell=bash
# expect: /etc/nftables.conf
printf 'flush ruleset\n' >>/etc/nftables.conf
