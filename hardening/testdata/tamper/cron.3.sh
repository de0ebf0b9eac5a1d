# shellcheck shell=bash
# expect: /etc/at.deny
: >/etc/at.deny
