# shellcheck shell=bash
# expect: /etc/pam.d/su
sed -i '/pam_wheel/d' /etc/pam.d/su
