# shellcheck shell=bash
# expect: /etc/systemd/system/nftables.service.d/icon.conf
rm /etc/systemd/system/nftables.service.d/icon.conf
systemctl daemon-reload
