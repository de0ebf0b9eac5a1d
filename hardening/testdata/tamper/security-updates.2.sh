# shellcheck shell=bash
# expect: apt-daily-upgrade.timer
systemctl -q mask --now apt-daily-upgrade.timer
