# shellcheck shell=bash
# expect: /etc/ssh/moduli
echo '20260101000000 2 6 100 2047 2 ABCDEF' >>/etc/ssh/moduli
