# shellcheck shell=bash disable=SC2154
# The step "key": user, directories, the node's software, and the node key. A key that is there is kept; none is ever overwritten.

apply() {
  if ! getent passwd icon-node >/dev/null; then
    useradd --system --user-group --home-dir "$DATA_DIR" --no-create-home --shell /usr/sbin/nologin icon-node
    changed "user icon-node"
  fi
  directory 0755 root:root /etc/icon
  directory 0750 root:icon-node /etc/icon/node
  check_moved_data
  adopt
  local sub
  for sub in '' /chain /key /logs; do directory 0700 icon-node:icon-node "$DATA_DIR$sub"; done
  case $RUNTIME in
    binary) install_binary ;;
    container) install_image ;;
  esac
  if [[ -n $IMPORT_ADDRESS ]]; then import_key; else bear_key; fi
  own_key
  local address
  address=$(key_address "$DATA_DIR/key/keystore.json")
  [[ -n $address ]] || fail "the keystore $DATA_DIR/key/keystore.json names no address (\"address\":\"hx…\"): it is no node key"
  put 0644 root:root /etc/icon/node/data-dir <<<"$DATA_DIR" || true
  summary "address=$address"
  # What the service step has to take into use.
  summary "software=${BINARY_SHA256:-$IMAGE}"
  summary "key=$(sha256sum "$DATA_DIR/key/keystore.json" | cut -c1-16)"
}

# Another data directory must not mean another key: the one that is registered would stop signing.
check_moved_data() {
  local old
  [[ -e /etc/icon/node/data-dir ]] || return 0
  old=$(</etc/icon/node/data-dir)
  if [[ $old != "$DATA_DIR" && -e $old/key/keystore.json && ! -e $DATA_DIR/key/keystore.json ]]; then
    fail "icon:node.dataDir is now $DATA_DIR, but this node's key and chain are in $old: a new key would be born, and the old one would stop signing. Nothing was changed. On the host: systemctl stop icon-node, move $old to $DATA_DIR; then run pulumi up again"
  fi
}

# remove keeps chain and key for a later deploy, unless the operator asked for them to be wiped. They fall to root, as the user goes.
remove() {
  if [[ $ON_DESTROY == wipe ]]; then
    if [[ -d $DATA_DIR/key ]]; then find "$DATA_DIR/key" -type f -exec shred -u {} +; fi
    # The directory itself may be where a disk is mounted.
    if [[ -d $DATA_DIR ]]; then find "$DATA_DIR" -mindepth 1 -delete; fi
    rmdir "$DATA_DIR" 2>/dev/null || true
    changed "$DATA_DIR wiped"
  elif [[ -d $DATA_DIR ]]; then
    chown -R root:root "$DATA_DIR"
    chmod 0700 "$DATA_DIR"
  fi
  if getent passwd icon-node >/dev/null; then userdel icon-node; fi
  remove_images
  rm -rf /etc/icon/node /usr/local/lib/icon/goloop /var/tmp/icon-upload
}

# The images that deploys have put here, "engine reference" each; the service step takes away those that are no longer used.
remove_images() {
  local tool reference
  [[ -e $LEDGER ]] || return 0
  while read -r tool reference; do
    command -v "$tool" >/dev/null || continue
    "$tool" image rm "$reference" || printf 'the image %s stays\n' "$reference"
  done <"$LEDGER"
}

# Data that an earlier deploy left belongs to root since its user went.
adopt() {
  if [[ -d $DATA_DIR && $(stat -c %U "$DATA_DIR") != icon-node ]]; then
    chown -R icon-node:icon-node "$DATA_DIR"
    changed "$DATA_DIR taken over"
  fi
}

install_binary() {
  local have=''
  [[ ! -e /usr/local/lib/icon/goloop ]] || have=$(sha256sum /usr/local/lib/icon/goloop | cut -d' ' -f1)
  [[ $have != "$BINARY_SHA256" ]] || return 0
  [[ -e $BINARY_STAGED ]] || fail "the goloop binary was not found at $BINARY_STAGED, where the copy step puts it: run pulumi up again with --replace for that step"
  local got
  install -d -m 0755 /usr/local/lib/icon
  # A running executable can be replaced, but not written to. The copy is what is checked: others may write where it was staged.
  install -m 0755 "$BINARY_STAGED" /usr/local/lib/icon/goloop.new
  got=$(sha256sum /usr/local/lib/icon/goloop.new | cut -d' ' -f1)
  if [[ $got != "$BINARY_SHA256" ]]; then
    rm -f /usr/local/lib/icon/goloop.new
    fail "the copied goloop binary has SHA-256 $got, expected $BINARY_SHA256: it was damaged or changed on its way to the host"
  fi
  runuser -u icon-node -- /usr/local/lib/icon/goloop.new version >/dev/null 2>&1 || fail "the goloop binary does not run on this machine ($(uname -m)): build it for this architecture"
  mv -f /usr/local/lib/icon/goloop.new /usr/local/lib/icon/goloop
  rm -f "$BINARY_STAGED"
  changed /usr/local/lib/icon/goloop
}

install_image() {
  case $ENGINE in
    podman) packages podman crun ;;
    docker) packages docker.io ;;
  esac
  if ! have_image; then
    if [[ -n $ARCHIVE ]]; then
      [[ -e $ARCHIVE ]] || fail "the image archive was not found at $ARCHIVE, where the copy step puts it: run pulumi up again with --replace for that step"
      local before held
      before=$("$ENGINE" image ls -q --no-trunc | sort -u)
      "$ENGINE" load -q -i "$ARCHIVE" || fail_log "the image archive could not be loaded"
      if ! have_image; then
        held=$(archive_holds)
        comm -13 <(printf '%s\n' "$before") <("$ENGINE" image ls -q --no-trunc | sort -u) | xargs -r "$ENGINE" image rm -f
        fail "the image archive does not hold $IMAGE (icon:node.container.image), but $held: the image's name or digest differs"
      fi
    else
      "$ENGINE" pull -q "$IMAGE" || fail_log "the image $IMAGE could not be pulled: can this host reach the registry (icon:maintenance)? If it must not, set icon:node.container.archive"
    fi
    # One that was here before is not ours to take away.
    printf '%s %s\n' "$ENGINE" "$IMAGE" >>"$LEDGER"
    changed "image $IMAGE"
  fi
  [[ -z $ARCHIVE ]] || rm -f "$ARCHIVE"
}

have_image() { "$ENGINE" image inspect "$IMAGE" >/dev/null 2>&1; }

# What an archive that was just loaded is known by: the newest images, "name@digest" each.
archive_holds() { "$ENGINE" images --digests --format '{{.Repository}}@{{.Digest}}' | head -n 3 | paste -sd ' '; }

# goloop runs the node's own tool, as the node's user or in its image.
goloop() {
  local extra=()
  case $RUNTIME in
    binary) runuser -u icon-node -- /usr/local/lib/icon/goloop "$@" ;;
    container)
      # The step's own cgroup will do for a moment's work.
      [[ $ENGINE != podman ]] || extra=(--cgroups disabled)
      "$ENGINE" run --rm --pull never --network none --log-driver none --security-opt no-new-privileges "${extra[@]}" \
        --volume "$DATA_DIR/key:$DATA_DIR/key" --entrypoint goloop "$IMAGE" "$@"
      ;;
  esac
}

# key_address KEYSTORE
key_address() { sed -n 's/.*"address" *: *"\(hx[0-9a-f]\{40\}\)".*/\1/p' "$1" | head -n 1; }

bear_key() {
  local key=$DATA_DIR/key
  if [[ -e $key/keystore.json ]]; then
    [[ -e $key/password ]] || fail "the node key $key/keystore.json has no password file beside it: put the password into $key/password (no line end), or move the key away for a new one to be born"
    return 0
  fi
  directory 0700 icon-node:icon-node "$key/new"
  # 32 random bytes; goloop takes the file's whole content, so no line end.
  head -c 32 /dev/urandom | base64 -w 0 >"$key/new/password"
  chown icon-node:icon-node "$key/new/password"
  chmod 0400 "$key/new/password"
  goloop ks gen --out "$key/new/keystore.json" --secret "$key/new/password" >/dev/null || fail_log "goloop could not make a node key"
  # The keystore comes last: where it is, its password is.
  mv "$key/new/password" "$key/password"
  mv "$key/new/keystore.json" "$key/keystore.json"
  rmdir "$key/new"
  changed "node key born"
}

# import_key proves the new key before it takes the place of what is there.
import_key() {
  local key=$DATA_DIR/key have f verdict
  if [[ -e $key/keystore.json ]]; then
    have=$(key_address "$key/keystore.json")
    [[ $have == "$IMPORT_ADDRESS" ]] || fail "this host already holds the node key $have, but icon:importedKeys wants $IMPORT_ADDRESS: a key is never overwritten. Move $key away on the host, once you are sure that it is not needed"
    if cmp -s "$STEP_DIR/keystore.json" "$key/keystore.json" && cmp -s "$STEP_DIR/password" "$key/password"; then return 0; fi
  fi
  directory 0700 icon-node:icon-node "$key/new"
  for f in password keystore.json; do install -m 0400 -o icon-node -g icon-node "$STEP_DIR/$f" "$key/new/$f"; done
  have=$(key_address "$key/new/keystore.json")
  verdict=$(goloop ks verify --secret "$key/new/password" "$key/new/keystore.json" 2>/dev/null) || true
  if [[ $have != "$IMPORT_ADDRESS" || $verdict != *SUCCESS* ]]; then
    rm -rf "$key/new"
    [[ $have == "$IMPORT_ADDRESS" ]] || fail "the keystore to import here is of ${have:-no address}, icon:importedKeys wants $IMPORT_ADDRESS. Nothing was changed"
    fail "the keystore for this host in icon:keystores does not open with its password. Nothing was changed"
  fi
  mv -f "$key/new/password" "$key/password"
  mv -f "$key/new/keystore.json" "$key/keystore.json"
  rmdir "$key/new"
  changed "node key imported"
}

own_key() {
  local f
  for f in keystore.json password; do
    if [[ $(stat -c '%a %U' "$DATA_DIR/key/$f") != '400 icon-node' ]]; then
      chown icon-node:icon-node "$DATA_DIR/key/$f"
      chmod 0400 "$DATA_DIR/key/$f"
      changed "$DATA_DIR/key/$f owned by icon-node"
    fi
  done
}

LEDGER=/etc/icon/node/images
