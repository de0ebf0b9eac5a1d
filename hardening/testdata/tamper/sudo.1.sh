# shellcheck shell=bash
# expect: /etc/sudoers.d/zz-icon
sed -i '/logfile/d' /etc/sudoers.d/zz-icon
