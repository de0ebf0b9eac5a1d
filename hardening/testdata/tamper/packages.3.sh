# shellcheck shell=bash
# expect: /etc/default/debsums: CRON_CHECK
sed -i 's/^CRON_CHECK=.*/CRON_CHECK=never/' /etc/default/debsums
