# shellcheck shell=bash disable=SC2154
# Units that are there though no host needs them. A unit that is not installed is not masked: its package is not there, either.

SERVICES_OFF='
ctrl-alt-del.target debug-shell.service
avahi-daemon.service avahi-daemon.socket cups.service cups.socket cups.path cups-browsed.service
rpcbind.service rpcbind.socket nfs-server.service nfs-mountd.service nfs-blkmap.service rpc-statd.service rpc-gssd.service autofs.service
rsync.service smbd.service nmbd.service winbind.service snmpd.service snmptrapd.service
isc-dhcp-server.service isc-dhcp-server6.service kea-dhcp4-server.service kea-dhcp6-server.service named.service dnsmasq.service
exim4.service sendmail.service dovecot.service slapd.service squid.service apache2.service nginx.service
inetd.service xinetd.service vsftpd.service proftpd.service tftpd-hpa.service ypserv.service ypbind.service
bluetooth.service ModemManager.service wpa_supplicant.service whoopsie.service apport.service'

# services_of_kept_packages: a package that stays (packages.keep) stays for its services.
services_of_kept_packages() {
  local name
  for name in ${PACKAGES_KEEP-}; do
    sed -nE 's#^(/usr)?/lib/systemd/system/([^/]+)$#\2#p' "/var/lib/dpkg/info/$name.list" 2>/dev/null | paste -sd ' ' || true
  done
}

# services_before: what runs here and is more than a package's default. Packages that are purged are the engine's to ask about.
services_before() {
  local unit keep
  keep=" $SERVICES_KEEP $(services_of_kept_packages) "
  for unit in autofs rpc-gssd smbd winbind exim4; do
    if [[ $keep == *" $unit.service "* || " $PURGE " == *" $unit "* ]] || ! systemctl -q is-active "$unit.service"; then continue; fi
    # Debian's mailer for this machine's own mail alone may go.
    if [[ $unit == exim4 ]] && grep -qs "^dc_eximconfig_configtype='local'" /etc/exim4/update-exim4.conf.conf; then continue; fi
    printf '%s\n' "$unit.service runs, and would be stopped for good: name it in services.keep, or stop it yourself"
  done
  for unit in /sys/class/net/*/wireless; do
    [[ ! -e $unit || $keep == *' wpa_supplicant.service '* ]] || ! systemctl -q is-active wpa_supplicant.service ||
      printf '%s\n' "this machine has wireless network: name wpa_supplicant.service in services.keep"
  done
}

services() {
  local unit dir key value load='' active='' i=0 there=() keep
  keep=" $SERVICES_KEEP $(services_of_kept_packages) "
  for unit in $SERVICES_OFF; do
    if [[ $keep == *" $unit "* ]]; then continue; fi
    # systemd is asked of those only that somebody has put here: it looks through the whole disk for each.
    for dir in {/etc,/run,/usr/local/lib,/usr/lib,/lib}/systemd/system /run/systemd/{generator,generator.late}; do
      if [[ -e $dir/$unit || -L $dir/$unit ]]; then
        there+=("$unit")
        break
      fi
    done
  done
  # The answers come in the order of the questions, and tell an alias by another name: ctrl-alt-del.target is reboot.target, which must not
  # be masked.
  while IFS='=' read -r key value; do
    case "$key" in
      LoadState) load=$value ;;
      ActiveState) active=$value ;;
    esac
    [[ -n $load && -n $active ]] || continue
    case "$load/$active" in
      not-found/inactive | masked/inactive) ;;
      *) want_off "${there[i]}" ;;
    esac
    i=$((i + 1)) load='' active=''
  done < <(((${#there[@]} == 0)) || systemctl show -p LoadState,ActiveState "${there[@]}" 2>/dev/null)
  # Seven times in two seconds would restart the machine even so.
  want_file 0644 root:root /etc/systemd/system.conf.d/icon-keys.conf <<'CONF'
# Made by pulumi-icon.
[Manager]
CtrlAltDelBurstAction=none
CONF
}
