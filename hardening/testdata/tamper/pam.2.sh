# shellcheck shell=bash
# expect: /etc/pam.d/common-password
sed -i '/pam_pwquality/d' /etc/pam.d/common-password
