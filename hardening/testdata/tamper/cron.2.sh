# shellcheck shell=bash
# expect: /etc/cron.d
chmod 0777 /etc/cron.d
