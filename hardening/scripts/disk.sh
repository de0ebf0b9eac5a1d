# shellcheck shell=bash disable=SC2154
# The step "disk": the chain data's own disk. Only a blank one is formatted, no data is hidden under a mount, and a copy of another host's
# disk loses that host's node key before it is mounted where a node could find it.

apply() {
  [[ $DEVICE =~ ^(/[A-Za-z0-9._-]+)+$ && $DATA_DIR =~ ^(/[A-Za-z0-9._-]+)+$ ]] ||
    fail "the disk is \"$DEVICE\", the data directory \"$DATA_DIR\": wanted absolute paths of letters, digits and . _ -"
  [[ ${OWNER:-} =~ ^[^[:space:]]+$ ]] || fail "whose disk $DEVICE is was not said (OWNER): wanted one word"
  wait_for_boot
  wait_for_device
  check_use
  check_directory
  if ! mounted; then
    format
    claim_aside
  else
    claim "$DATA_DIR"
  fi
  use
  grow
  summary "disk=$DEVICE"
}

# remove forgets the disk and keeps what it holds. It runs after the removal of all else.
remove() {
  rm -rf "$NODE_DROPIN"
  disable "$(mount_unit)"
  rmdir "$DATA_DIR" 2>/dev/null || true
  # The step "ready" took the deploy's own things away before; this step has made its log since.
  [[ -e /etc/icon/firewall.nft ]] || rm -rf /etc/icon /var/log/icon
}

problem() { fail "$1"; }

wait_for_device() {
  local i
  for ((i = 0; i < WAIT; i++)); do
    DISK=$(readlink -e "$DEVICE" || true)
    # A volume that was made larger a moment ago may still show its old size.
    if [[ -n $DISK && -b $DISK ]] && (($(blockdev --getsize64 "$DISK") >= SIZE_GIB * 1024 ** 3)); then return 0; fi
    sleep 1
  done
  [[ -z $DISK || ! -b $DISK ]] ||
    fail "the data disk $DEVICE ($DISK) has $(($(blockdev --getsize64 "$DISK") / 1024 ** 3)) GiB after $WAIT s, wanted $SIZE_GIB GiB: was the change of the volume's size carried out? Nothing was changed"
  fail "the data disk $DEVICE did not appear within $WAIT s: is the volume attached to this machine? Disks that are there: $(find /dev/disk/by-id -type l -printf '%f ' 2>/dev/null || true)"
}

# What is mounted somewhere else, the root disk for one, or is part of something else is not ours.
check_use() {
  local target inside
  while read -r target; do
    [[ -z $target || $target == "$DATA_DIR" || $target == "$ASIDE" ]] || fail "the data disk $DEVICE ($DISK) is mounted at $target: it is in use for something else. Nothing was changed. Give this host a disk of its own, or unmount it (umount $target)"
  done < <(findmnt -nro TARGET -S "$DISK" || true)
  inside=$(lsblk -nro NAME,TYPE "$DISK" | tail -n +2 | paste -sd,)
  [[ -z $inside ]] || fail "the data disk $DEVICE ($DISK) holds $inside: only a blank disk is formatted. Nothing was changed. Give this host a new volume"
}

# What lies in the directory below would be out of sight, and a node that finds no key there makes itself another.
check_directory() {
  local source
  if [[ -L $DATA_DIR ]]; then fail "data directory $DATA_DIR is a symbolic link: set icon:node.dataDir to where it leads"; fi
  if mounted; then return 0; fi
  source=$(findmnt -nro SOURCE --mountpoint "$DATA_DIR" || true)
  [[ -z $source ]] || fail "data directory $DATA_DIR is on $source, the plan wants it on $DEVICE ($DISK). Nothing was changed. On the host: systemctl stop icon-node, copy what is to be kept, umount $DATA_DIR; then run pulumi up again"
  if [[ -e $DATA_DIR && -n $(find "$DATA_DIR" -mindepth 1 -print -quit) ]]; then
    fail "data directory $DATA_DIR holds data on the root disk, which the disk $DEVICE would hide. Nothing was changed. On the host: systemctl stop icon-node, mv $DATA_DIR $DATA_DIR.old; run pulumi up until this step has passed; then move chain and key from there to $DATA_DIR, or remove what is no longer needed"
  fi
}

# mounted: the data directory is on this very disk.
mounted() { [[ $(findmnt -nro MAJ:MIN --mountpoint "$DATA_DIR" || true) == "$(lsblk -dnro MAJ:MIN "$DISK" | tr -d ' ')" ]]; }

# format makes a file system on a blank disk. A format that was cut off, of a disk that was blank before, is done again.
format() {
  local found
  found=$(wipefs --no-act --noheadings --output TYPE "$DISK" | sort -u | paste -sd,)
  if [[ -e $FORMATTING && $(<"$FORMATTING") == "$DEVICE" ]]; then
    printf 'the format of %s was cut off\n' "$DEVICE"
  elif [[ $found == ext4 ]]; then
    return 0
  elif [[ -n $found ]]; then
    fail "the data disk $DEVICE ($DISK) holds $found: only a blank disk is formatted, and only ext4 is used. Nothing was changed. Give this host a new volume"
  elif ! blank; then
    fail "the data disk $DEVICE ($DISK) holds data of an unknown kind: only a blank disk is formatted. Nothing was changed. Give this host a new volume, or, if nothing on it is needed, blank it on the host: blkdiscard -z $DISK"
  fi
  # On the root disk, and there for sure before the first write to the data disk.
  printf '%s\n' "$DEVICE" >"$FORMATTING"
  sync "$FORMATTING"
  # No blocks are kept back for root (-m 0; 5 % otherwise): nothing but the node writes here. What mkfs does not write at once the kernel
  # writes later, so that a large disk is ready in seconds.
  mkfs.ext4 -F -q -L icon-data -m 0 -E lazy_itable_init=1,lazy_journal_init=1 "$DISK" || fail_log "the data disk $DEVICE could not be formatted"
  sync "$DISK"
  # For sure again: a note that came back after a power cut would have the node's data formatted.
  rm -f "$FORMATTING"
  sync "$(dirname "$FORMATTING")"
  changed "$DEVICE formatted"
}

# blank: no byte is set at the beginning, where file systems and partition tables are, nor at the end, where copies of them are.
blank() {
  local size part=16777216
  size=$(blockdev --getsize64 "$DISK")
  ((size > part)) || part=$size
  cmp -s -n "$part" "$DISK" /dev/zero && cmp -s -n "$part" -i "$((size - part)):0" "$DISK" /dev/zero
}

# claim_aside claims the disk where no node looks: mounted at its place, a power cut could leave it there with another host's key.
claim_aside() {
  if mountpoint -q "$ASIDE"; then umount "$ASIDE"; fi
  install -d -m 0700 "$ASIDE"
  mount -t ext4 -o nodev,nosuid,noexec "$DISK" "$ASIDE" || fail_log "the data disk $DEVICE could not be mounted: see dmesg there"
  claim "$ASIDE"
  umount "$ASIDE"
  rmdir "$ASIDE"
}

# claim DIR stamps the disk as this host's. A copy of another host's disk holds its key: two hosts never hold one node key.
claim() {
  local stamp=$1/.icon-host of=''
  [[ ! -e $stamp ]] || of=$(<"$stamp")
  [[ $of != "$OWNER" ]] || return 0
  if [[ $RESTORED == true ]]; then
    remove_key "$1" "${of:-unknown}"
  elif [[ -n $of ]]; then
    fail_unclaimed "$1" "the data disk $DEVICE is $of's, this is $OWNER: it was neither changed nor mounted. Give it back, or give this host a new volume, or one restored from a snapshot of it, which loses the node key"
  fi
  printf '%s\n' "$OWNER" >"$stamp.new"
  mv -f "$stamp.new" "$stamp"
  sync -f "$stamp"
  changed "$DEVICE claimed for $OWNER"
}

fail_unclaimed() {
  if [[ $1 == "$ASIDE" ]]; then umount "$ASIDE"; fi
  fail "$2"
}

# remove_key DIR OWNER: the logs go with the key, because the official image writes its password there.
remove_key() {
  if systemctl is-active -q icon-node.service; then systemctl stop icon-node.service; fi
  if [[ -n $(find "$1/key" -type f -print -quit 2>/dev/null) ]]; then
    find "$1/key" "$1/logs" -type f -exec shred -u {} + 2>/dev/null || true
    summary "removed-key-of=$2"
    changed "the node key of $2 removed"
  fi
  rm -rf "$1/key" "$1/logs"
  sync -f "$1"
}

# use mounts the disk now and at every boot. A boot goes on without it, so that somebody can log in; a node does not start.
use() {
  [[ -d $DATA_DIR ]] || directory 0755 root:root "$DATA_DIR"
  directory 0755 root:root "$NODE_DROPIN"
  unit icon-node.service.d/disk.conf <<<"${NODE_UNIT//@DATA_DIR@/$DATA_DIR}" || true
  local text=${MOUNT_UNIT//@DATA_DIR@/$DATA_DIR}
  unit "$(mount_unit)" <<<"${text//@DEVICE@/$DEVICE}" || true
  enable "$(mount_unit)"
  mounted || fail_log "the data disk $DEVICE is not mounted at $DATA_DIR: see systemctl status '$(mount_unit)' there"
}

grow() {
  local before after
  read -r before after < <(sizes)
  ((before < after)) || return 0
  resize2fs "$DISK" || fail_log "the file system of the data disk $DEVICE could not be grown to the disk's size"
  read -r after _ < <(sizes)
  # What is left over at the end may be too little for the file system to use.
  if ((after > before)); then changed "$DEVICE grown from $((before / 1000000000)) to $((after / 1000000000)) GB"; fi
}

# sizes: of the file system and of its disk, in bytes.
sizes() {
  local head
  head=$(dumpe2fs -h "$DISK" 2>/dev/null)
  printf '%s %s\n' "$(($(sed -n 's/^Block count: *//p' <<<"$head") * $(sed -n 's/^Block size: *//p' <<<"$head")))" "$(blockdev --getsize64 "$DISK")"
}

mount_unit() { systemd-escape --path --suffix=mount "$DATA_DIR"; }

WAIT=120
ASIDE=/run/icon/volume
FORMATTING=/etc/icon/formatting
NODE_DROPIN=/etc/systemd/system/icon-node.service.d

# Without its own dependencies: with them, a disk that is lost would hold up the boot for a minute and a half.
MOUNT_UNIT='# Made by pulumi-icon.
[Unit]
Description=Chain data of the ICON node
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target

[Mount]
What=@DEVICE@
Where=@DATA_DIR@
Type=ext4
Options=nodev,nosuid,noexec

[Install]
WantedBy=multi-user.target'

NODE_UNIT='# Made by pulumi-icon.
[Unit]
# No node beside its data: it would make itself another key, and begin another copy of the chain on the root disk.
RequiresMountsFor=@DATA_DIR@
AssertPathIsMountPoint=@DATA_DIR@'
