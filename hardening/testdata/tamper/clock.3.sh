# shellcheck shell=bash
# expect: /etc/chrony/chrony.keys
chmod 0666 /etc/chrony/chrony.keys
