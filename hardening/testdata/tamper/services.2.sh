# shellcheck shell=bash
# expect: rsync.service
printf '[Service]\nExecStart=/bin/sleep infinity\n' >/lib/systemd/system/rsync.service
# Masked by the run before, if this is not the first.
systemctl -q unmask rsync.service
systemctl daemon-reload
systemctl start rsync.service
