# shellcheck shell=bash
# expect: /etc/login.defs: UMASK
sed -i 's/^UMASK.*/UMASK 022/' /etc/login.defs
