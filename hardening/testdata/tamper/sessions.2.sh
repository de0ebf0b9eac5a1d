# shellcheck shell=bash
# expect: /etc/profile.d/icon.sh
echo 'umask 000' >>/etc/profile.d/icon.sh
