# shellcheck shell=bash
# expect: /var/tmp/icon-upload/goloop-0123456789ab
mkdir -p /var/tmp/icon-upload
touch -d '3 days ago' /var/tmp/icon-upload/goloop-0123456789ab
