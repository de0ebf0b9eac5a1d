# shellcheck shell=bash
# expect: /usr/local/lib/icon/reboot
sed -i 's/^MODE=.*/MODE=window/; s/^MINUTES=.*/MINUTES=1440/' /usr/local/lib/icon/reboot
