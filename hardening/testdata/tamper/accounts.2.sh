# shellcheck shell=bash
# expect: shell of daemon
usermod -s /bin/bash daemon
