# shellcheck shell=bash disable=SC2154
accounts() {
  want_setting /etc/login.defs PASS_MAX_DAYS "$ACCOUNTS_MAX_DAYS"
  want_setting /etc/login.defs PASS_MIN_DAYS 1
  want_setting /etc/login.defs PASS_WARN_AGE 7
  want_setting /etc/login.defs ENCRYPT_METHOD YESCRYPT
  # For programs that still hash with SHA-512.
  want_setting /etc/login.defs SHA_CRYPT_MIN_ROUNDS 65536
  want_setting /etc/login.defs SHA_CRYPT_MAX_ROUNDS 65536
  want_setting /etc/default/useradd INACTIVE "$ACCOUNTS_INACTIVE_DAYS" =
  accounts_each
  accounts_homes
}

# accounts_each mends what can be mended; a second root or a strange group is for a person to look at.
accounts_each() {
  local kind user expected found
  while IFS='|' read -r kind user expected found; do
    if ! applying; then
      drift "$kind of $user" "$expected" "${found:-none}"
      continue
    fi
    case $kind in
      uid | gid | 'last change') continue ;;
    esac
    keep /etc/passwd
    keep /etc/shadow
    case $kind in
      password) usermod -L "$user" ;;
      shell) usermod -s /usr/sbin/nologin "$user" ;;
      age) chage -M "$ACCOUNTS_MAX_DAYS" -m 1 -W 7 -I "$ACCOUNTS_INACTIVE_DAYS" "$user" ;;
      'maximum age') chage -M "$ACCOUNTS_MAX_DAYS" "$user" ;;
    esac
    changed "$user: $kind $expected"
  done < <(accounts_found)
}

# accounts_found compares the accounts' files: KIND|USER|EXPECTED|FOUND, without passwords. Who is named to log in keeps shell and password,
# whatever number the account has.
accounts_found() {
  awk -F: -v login=" $LOGIN_USER ${SSH_SERVER_USERS-} " -v lock="$ACCOUNTS_LOCK_ROOT" -v max="$ACCOUNTS_MAX_DAYS" -v idle="$ACCOUNTS_INACTIVE_DAYS" \
    -v today=$((EPOCHSECONDS / 86400)) '
    function tell(kind, user, expected, found) { print kind "|" user "|" expected "|" found }
    FILENAME == "/etc/passwd" {
      uid[$1] = $3
      if ($1 != "root" && $3 == 0) tell("uid", $1, "another than 0", 0)
      if ($1 != "root" && $4 == 0 && $1 !~ /^(sync|shutdown|halt|operator)$/) tell("gid", $1, "another than 0", 0)
      if ($1 == "root" && $4 != 0) tell("gid", $1, 0, $4)
      if ($3 > 0 && $3 < 1000 && !index(login, " " $1 " ") && $1 !~ /^(sync|shutdown|halt)$/ && $7 !~ /\/(nologin|false)$/)
        tell("shell", $1, "/usr/sbin/nologin", $7)
      next
    }
    {
      locked = $2 ~ /^[!*]/
      if ($2 == "") tell("password", $1, "locked", "empty")
      else if ($1 == "root" && lock == "true" && !locked) tell("password", $1, "locked", "set")
      else if ($1 in uid && uid[$1] > 0 && uid[$1] < 1000 && !index(login, " " $1 " ") && !locked) tell("password", $1, "locked", "set")
      if ($3 != "" && $3 > today) tell("last change", $1, "not in the future", "day " $3)
      # Passwords only: keys do not age.
      if (!locked && $2 != "" && ($5 == "" || $5 > max + 0 || $4 < 1 || $6 < 7 || $7 == "" || $7 > idle + 0))
        tell("age", $1, "1 to " max " days, warned 7 before, closed " idle " after", $4 " to " $5 ", " $6 ", " $7)
      else if ($1 == "root" && $5 != max) tell("maximum age", $1, max " days", $5)
    }' /etc/passwd /etc/shadow
}

# Homes of people: nothing in them is for others. Top level only, which keeps others out of what is below.
accounts_homes() {
  local homes path mode
  # A home that the node's data lie in has to be passable for the node.
  mapfile -t homes < <(awk -F: -v data="$DATA_DIR/" 'index(data, $6 "/") != 1 && ($3 >= 1000 && $3 < 60000 && $7 !~ /\/(nologin|false)$/ || $1 == "root") && $6 ~ /^\/(home\/.|root$)/ { print $6 }' /etc/passwd)
  while IFS=' ' read -r mode path; do
    if applying; then
      chmod g-w,o-rwx "$path"
      [[ ! -f $path ]] || chmod g-x "$path"
      [[ ${path##*/} != .*_history ]] || chmod go-rwx "$path"
      changed "$path: not for others"
    else
      drift "$path" "not writable by its group, nothing for others" "$mode"
    fi
  done < <(find "${homes[@]}" -maxdepth 1 \( -path '*/.*' -o -type d \) ! -type l \
    \( -perm /027 -o -type f -perm /030 -o -name '.*_history' -perm /077 \) -printf '%m %p\n' 2>/dev/null)
}
