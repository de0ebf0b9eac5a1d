# shellcheck shell=bash
# expect: the kernel's table inet icon
nft delete table inet icon
