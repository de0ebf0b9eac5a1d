# shellcheck shell=bash
# expect: journald: Storage
mkdir -p /etc/systemd/journald.conf.d
printf '[Journal]\nStorage=none\n' >/etc/systemd/journald.conf.d/zz.conf
