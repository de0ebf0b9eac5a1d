# shellcheck shell=bash
# expect: the kernel's table inet icon
nft insert rule inet icon input tcp dport 4444 accept
