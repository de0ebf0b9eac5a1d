# shellcheck shell=bash
# expect: /etc/cron.allow
echo daemon >>/etc/cron.allow
