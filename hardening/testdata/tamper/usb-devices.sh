# shellcheck shell=bash
# expect: /etc/usbguard/rules.conf
echo 'allow with-interface match-all { 08:*:* }' >>/etc/usbguard/rules.conf
