# shellcheck shell=bash
# expect: rsyslog.service
systemctl -q disable --now rsyslog.service
