# shellcheck shell=bash disable=SC2154
# Who reads and writes the system's own files, and what runs with more rights than its caller has.

file_permissions() {
  want_mode 0644 root:root /etc/passwd /etc/passwd- /etc/group /etc/group- /etc/shells /etc/sysctl.conf /etc/fstab /etc/hosts /etc/profile
  want_mode 0640 root:shadow /etc/shadow /etc/shadow- /etc/gshadow /etc/gshadow-
  want_mode 0600 root:root /etc/security/opasswd /etc/security/opasswd.old /etc/crypttab
  want_mode 0755 root:root /etc /usr /usr/bin /usr/sbin /usr/lib /usr/local /usr/local/bin /usr/local/sbin /var /var/lib /boot \
    /etc/sysctl.d /etc/modprobe.d /etc/apt /etc/systemd/system
  want_mode 0700 root:root /root
  want_mode 1777 root:root /tmp /var/tmp
  file_permissions_suid
}

# file_permissions_suid: programs that users here do not need lose set-user-id and set-group-id, and dpkg keeps it so.
file_permissions_suid() {
  local path mode owner present=() overrides=''
  for path in $FILE_PERMISSIONS_NO_SUID; do
    if [[ -f $path && ! -L $path ]]; then present+=("$path"); fi
  done
  ((${#present[@]})) || return 0
  overrides=" $(awk '{ print $4 }' /var/lib/dpkg/statoverride | paste -sd' ') "
  while read -r mode owner path; do
    if ((8#$mode & 06000)); then file_permissions_take "$path" "$mode $owner" u-s,g-s "neither set-user-id nor set-group-id"; fi
    if [[ $overrides == *" $path "* || $overrides == *" ${path#/usr} "* ]]; then continue; fi
    if applying; then
      # Of packages from before /usr was merged, dpkg knows /bin/mount for /usr/bin/mount.
      if ! grep -qxF "$path" /var/lib/dpkg/info/*.list && grep -qxF "${path#/usr}" /var/lib/dpkg/info/*.list; then path=${path#/usr}; fi
      keep /var/lib/dpkg/statoverride
      dpkg-statoverride --update --add root root 0755 "$path"
      changed "$path: the next version of its package keeps the permissions"
    else
      drift "dpkg-statoverride of $path" "root root 0755" "none"
    fi
  done < <(stat -c '%a %U:%G %n' "${present[@]}")
}

file_permissions_apply() { file_permissions_search; }
file_permissions_verify() { file_permissions_search; }

# file_permissions_search looks through the root file system: not at chain data, not at what containers hold, and not into directories that
# are there for everybody's files.
file_permissions_search() {
  local mode owner kind path programs=()
  while read -r -d '' mode owner kind path; do
    case "$kind" in
      f) file_permissions_take "$path" "$mode $owner" o-w "not writable by all" ;;
      d) file_permissions_take "$path" "$mode $owner" +t "the sticky bit, as all may write there" ;;
      program) programs+=("$path") ;;
      # It will be the next new user's. Whose it should be is for a person to say.
      nobody) applying || drift "$path" "an owner and a group that exist" "$owner" ;;
      end) [[ $mode != 124 ]] || not_in_force "the search for files that all may write to was not done within 10 s" ;;
    esac
  done < <(file_permissions_find)
  file_permissions_programs "${programs[@]}"
}

file_permissions_find() {
  local code=0
  timeout 10 find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/tmp -o -path "$STATE" \
    -o -path /var/lib/containers -o -path /var/lib/docker -o -path /var/lib/containerd -o -path /var/lib/lxc -o -path /var/lib/lxd \
    -o -path /var/lib/incus -o -path /var/lib/machines -o -path /var/snap -o -path '*/.local/share/containers' -o -path "${DATA_DIR:-/nonexistent}" \) -prune -o \( \
    \( -nouser -o -nogroup \) -printf '%m %U:%G nobody %p\0' , \
    \( -type f -perm -0002 -o -type d -perm -0002 ! -perm -1000 \) -printf '%m %u:%g %y %p\0' , \
    -type f -perm /6000 -printf '%m %u:%g program %p\0' \) 2>/dev/null || code=$?
  printf '%d - end -\0' "$code"
}

file_permissions_take() {
  if applying; then
    chmod "$3" "$1"
    changed "$1: $3"
  else
    drift "$1" "$4" "$2"
  fi
}

# file_permissions_programs: of the programs with set-user-id and set-group-id, those that no package has brought. Some packages name their
# files as before /usr was merged: /bin/su.
file_permissions_programs() {
  local path known
  (($#)) || return 0
  known=$(printf '%s\n' "$@" "${@#/usr}")
  known=$'\n'$(grep -hxF -- "$known" /var/lib/dpkg/info/*.list || true)$'\n'
  for path in "$@"; do
    if [[ $known != *$'\n'"$path"$'\n'* && $known != *$'\n'"${path#/usr}"$'\n'* && " $FILE_PERMISSIONS_SUID " != *" $path "* ]]; then
      file_permissions_take "$path" "of no package" u-s,g-s "neither set-user-id nor set-group-id"
    fi
  done
}
