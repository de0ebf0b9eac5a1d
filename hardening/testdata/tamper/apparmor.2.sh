# shellcheck shell=bash
# expect: /etc/apparmor.d/disable/usr.sbin.chronyd
mkdir -p /etc/apparmor.d/disable
ln -sf /etc/apparmor.d/usr.sbin.chronyd /etc/apparmor.d/disable/usr.sbin.chronyd
