# shellcheck shell=bash
# expect: ctrl-alt-del.target
systemctl -q unmask ctrl-alt-del.target
