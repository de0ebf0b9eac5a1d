# shellcheck shell=bash
# expect: /etc/systemd/system.conf.d/60-icon-core.conf
sed -i 's/^DefaultLimitCORE=.*/DefaultLimitCORE=infinity/' /etc/systemd/system.conf.d/60-icon-core.conf
systemctl daemon-reload
