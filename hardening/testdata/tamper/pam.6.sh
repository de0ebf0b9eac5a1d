# shellcheck shell=bash
# expect: /etc/pam.d/common-session
sed -i '/pam_tmpdir/d' /etc/pam.d/common-session
