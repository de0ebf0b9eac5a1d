# shellcheck shell=bash
# expect: /etc/security/faillock.conf
sed -i 's/^deny.*/deny = 1000/' /etc/security/faillock.conf
