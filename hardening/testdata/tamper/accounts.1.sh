# shellcheck shell=bash
# expect: password of root
# shellcheck disable=SC2016
usermod -p '$6$salt$0000000000000000000000' root
