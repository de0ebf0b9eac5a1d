# shellcheck shell=bash disable=SC2154
# What may not be done in directories that many write to: run programs (noexec), gain privileges by one (nosuid), reach devices (nodev).
# A directory that is no file system of its own is mounted onto itself: what is in it stays, and running services go on. That does not
# keep it from filling the disk.

mounts() {
  local before=$CHANGES list
  mounts_list
  list=$(printf '%s\n' "${MOUNTS[@]}")
  want_file 0755 root:root /usr/local/lib/icon/mounts <<END
#!/bin/bash
# Made by pulumi-icon. Mount options of directories that many write to.
set -euo pipefail
while read -r path options; do
  mountpoint -q "\$path" || mount --rbind "\$path" "\$path"
  mount -o "remount,bind,\$options" "\$path"
done <<'LIST'
$list
LIST
END
  want_file 0644 root:root /etc/systemd/system/icon-mounts.service <<END
# Made by pulumi-icon.
[Unit]
Description=Mount options of directories that many write to
DefaultDependencies=no
RequiresMountsFor=${MOUNTS[*]%% *}
After=systemd-remount-fs.service
Before=local-fs.target systemd-tmpfiles-setup.service systemd-journal-flush.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/icon/mounts

[Install]
WantedBy=local-fs.target
END
  local logind=$CHANGES
  mounts_of_processes
  logind=$((CHANGES - logind))
  ((CHANGES == before)) || ! applying || units_changed
  want_on icon-mounts.service
  if ((logind)) && applying; then mounts_restart; fi
  mounts_fstab
}

# mounts_list makes MOUNTS: "path options". A file system of another machine's is mounted long after local ones, with its own options.
mounts_list() {
  local path own type remote=' '
  while read -r _ _ _ _ path own; do
    type=${own#* - } type=${type%% *}
    case $type in
      nfs* | cifs | smb3 | ceph | 9p | glusterfs | virtiofs | fuse* | autofs) remote+="$path " ;;
    esac
  done </proc/self/mountinfo
  MOUNTS=()
  for path in /tmp /var/tmp /home /var/log /var/log/audit /opt /srv; do
    if [[ ! -d $path || -L $path || $DATA_DIR/ == "$path"/* || $remote == *" $path "* ]]; then continue; fi
    if [[ $path == /opt || $path == /srv || " $MOUNTS_EXEC " == *" $path "* ]]; then
      MOUNTS+=("$path nodev,nosuid")
    else
      MOUNTS+=("$path nodev,nosuid,noexec")
    fi
  done
  MOUNTS+=("/dev/shm nodev,nosuid,noexec" "/dev nosuid,noexec")
}

# mounts_before: what runs from such a directory would not start again, and what is a service's would fail at the next boot.
mounts_before() {
  local line exe program seen=' '
  mounts_list
  while IFS= read -r line; do
    exe=${line%% *} program=${line#* }
    # A container's program has a path of the container's.
    if [[ $seen == *" $program "* || ! $exe -ef $program ]]; then continue; fi
    seen+="$program "
    mounts_allow "$program" || printf '%s\n' "$program runs, and programs in $MOUNTS_REFUSED are not to start any more: move it to \
/opt or /usr/local, or name $MOUNTS_REFUSED in mounts.exec"
  done < <(find /proc/[0-9]*/exe -maxdepth 0 -printf '%p %l\n' 2>/dev/null || true)
  while IFS= read -r line; do
    program=${line#*=} program=/${program#*/} program=${program%% *}
    mounts_allow "$program" || printf '%s\n' "${line%%:*} starts $program, and programs in $MOUNTS_REFUSED are not to start any more: \
move it to /opt or /usr/local, or name $MOUNTS_REFUSED in mounts.exec"
  done < <(grep -sHE '^Exec[A-Za-z]*=[-@:+!]*/' /etc/systemd/system/*.service || true)
}

# mounts_allow PATH: true unless the program is in a directory of which none may run, MOUNTS_REFUSED.
mounts_allow() {
  local entry
  for entry in "${MOUNTS[@]}"; do
    [[ $1 != "${entry%% *}"/* || $entry != *noexec* ]] || { MOUNTS_REFUSED=${entry%% *} && return 1; }
  done
}

# mounts_of_processes: a user sees the own processes only. logind and polkit, which are no longer root or have given up root's rights over
# others' processes, see them by the group that /proc is mounted with.
mounts_of_processes() {
  MOUNTS_PROC=''
  [[ $MOUNTS_HIDE_PROCESSES == true ]] || return 0
  if ! getent group icon-proc >/dev/null; then
    if ! applying; then
      drift "group icon-proc" "a group" "none"
      return 0
    fi
    groupadd --system icon-proc
    changed "group icon-proc"
  fi
  MOUNTS_PROC=nosuid,nodev,noexec,hidepid=invisible,gid=$(getent group icon-proc | cut -d: -f3)
  local unit
  for unit in systemd-logind polkit; do
    want_file 0644 root:root "/etc/systemd/system/$unit.service.d/60-icon-proc.conf" <<'END'
# Made by pulumi-icon. Sees all processes in spite of hidepid.
[Service]
SupplementaryGroups=icon-proc
END
  done
}

# mounts_restart: sessions outlive it. Nobody waits for it: at worst a login in this second has no session of its own. What holds up a shutdown
# until upgrades are done listens to logind's old self, and would hold up every one for 30 s.
mounts_restart() {
  local unit
  [[ $WORD != image ]] || return 0
  reload_units
  for unit in systemd-logind polkit unattended-upgrades; do
    if systemctl -q is-active "$unit.service"; then systemctl --no-block restart "$unit.service"; fi
  done
}

# mounts_fstab: systemd mounts these two itself, with the options of /etc/fstab.
mounts_fstab() {
  local wanted="tmpfs /dev/shm tmpfs nodev,nosuid,noexec 0 0" found
  [[ -z $MOUNTS_PROC ]] || wanted+=$'\n'"proc /proc proc $MOUNTS_PROC 0 0"
  [[ -e /etc/fstab ]] || want_file 0644 root:root /etc/fstab </dev/null
  found=$(awk '$1 !~ /^#/ && ($2 == "/dev/shm" || $2 == "/proc")' /etc/fstab 2>/dev/null || true)
  [[ $found != "$wanted" ]] || return 0
  if ! applying; then
    drift "/etc/fstab: /dev/shm and /proc" "$wanted" "${found:-no such line}"
    return 0
  fi
  want_file 0644 root:root /etc/fstab < <(awk '$1 ~ /^#/ || ($2 != "/dev/shm" && $2 != "/proc")' /etc/fstab && printf '%s\n' "$wanted")
}

mounts_apply() {
  local missing
  missing=$(mounts_missing)
  [[ -n $missing ]] || return 0
  /usr/local/lib/icon/mounts
  if [[ $missing == *"/proc "* && -n $MOUNTS_PROC ]]; then mount -o "remount,$MOUNTS_PROC" /proc; fi
  changed "mount options of $(cut -d' ' -f1 <<<"$missing" | paste -sd' ')"
}

mounts_verify() {
  local path options found
  while read -r path options found; do
    if [[ -n $path ]]; then drift "mount options of $path" "$options" "$found"; fi
  done <<<"$(mounts_missing)"
}

# mounts_missing: path, wanted and found options of each mount that lacks one.
mounts_missing() {
  local -A found=()
  local path options option own super _
  while read -r _ _ _ _ path own super; do found[$path]=$own,${super##* }; done </proc/self/mountinfo
  while read -r path options; do
    for option in ${options//,/ }; do
      if [[ ,${found[$path]-}, != *",$option,"* ]]; then
        printf '%s %s %s\n' "$path" "$options" "${found[$path]-not a mount}"
        break
      fi
    done
  done < <(printf '%s\n' "${MOUNTS[@]}" ${MOUNTS_PROC:+"/proc $MOUNTS_PROC"})
}
