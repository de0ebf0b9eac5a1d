# shellcheck shell=bash
# expect: user-data.txt
mkdir -p /var/lib/cloud/instances/i-0
echo x >/var/lib/cloud/instances/i-0/user-data.txt
chmod 0644 /var/lib/cloud/instances/i-0/user-data.txt
