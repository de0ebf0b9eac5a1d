# shellcheck shell=bash
# expect: /etc/chrony/chrony.conf
printf 'server 192.0.2.66 iburst prefer trust\n' >>/etc/chrony/chrony.conf
