# shellcheck shell=bash
# expect: /etc/aide/aide.conf
printf '!/usr\n' >>/etc/aide/aide.conf
