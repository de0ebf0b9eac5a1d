# shellcheck shell=bash
# expect: /usr/bin/sudo
chmod 4755 /usr/bin/sudo
