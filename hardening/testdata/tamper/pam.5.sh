# shellcheck shell=bash
# expect: group sugroup
usermod -aG sugroup daemon
