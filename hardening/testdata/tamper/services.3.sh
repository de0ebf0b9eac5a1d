# shellcheck shell=bash
# expect: /etc/systemd/system.conf.d/icon-keys.conf
rm /etc/systemd/system.conf.d/icon-keys.conf
