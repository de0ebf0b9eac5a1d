# shellcheck shell=bash
# expect: /etc/needrestart/conf.d/icon.conf
rm /etc/needrestart/conf.d/icon.conf
