# shellcheck shell=bash
# expect: /etc/modprobe.d/icon-hardening.conf
sed -i '/usb-storage/d' /etc/modprobe.d/icon-hardening.conf
