# shellcheck shell=bash
# expect: /usr/bin/chfn
chmod u+s /usr/bin/chfn
