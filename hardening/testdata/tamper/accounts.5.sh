# shellcheck shell=bash
# expect: /root/.profile
chmod 0666 /root/.profile
