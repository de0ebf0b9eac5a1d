# shellcheck shell=bash
# expect: /etc/kernel/postinst.d/zzz-icon-hardening
rm /etc/kernel/postinst.d/zzz-icon-hardening
