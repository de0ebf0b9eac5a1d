#!/usr/bin/env bash
# Makes a disk that a machine boots from: a BIOS's boot loader, an EFI partition and one root file system, as Debian's cloud image has them.
# Arguments: the tree of files, the disk's file, its MiB, and the URL of the packages. Standard input: the public key that logs in as admin.
# To be run in a mount namespace of its own: what it mounts goes with it.
set -euo pipefail
tree=$1 file=$2 size=$3 packages=$4
IFS= read -r key
work=$(mktemp -d)
node=/dev/icon-vm-$$
devices=()

clean() {
  umount --recursive "$work" 2>/dev/null || true
  ((${#devices[@]} == 0)) || losetup --detach "${devices[@]}"
  rm -f "$node"
  rmdir "$work"
}
trap clean EXIT

truncate --size "${size}M" "$file"
sfdisk --quiet "$file" <<'END'
label: gpt
14: start=2048, size=6144, type=21686148-6449-6E6F-744E-656564454649
15: start=8192, size=253952, type=uefi
1: start=262144, type=linux
END
# A device for each partition: not every kernel finds partitions on a loop device.
root=$(losetup --find --show --offset $((262144 * 512)) --sizelimit $(((size - 129) * 1024 * 1024)) "$file")
devices+=("$root")
efi=$(losetup --find --show --offset $((8192 * 512)) --sizelimit $((253952 * 512)) "$file")
devices+=("$efi")

mkfs.ext4 -q -L cloudimg-rootfs "$root"
# update-grub makes no menu for a root file system on what is called a loop device.
mknod "$node" b "$((0x$(stat --format %t "$root")))" "$((0x$(stat --format %T "$root")))"
mount "$node" "$work"
cp --archive --one-file-system "$tree/." "$work"
mkdir -p "$work/boot/efi"
mount --rbind /dev "$work/dev"
mount -t proc proc "$work/proc"
mount -t sysfs sysfs "$work/sys"
# Stays empty. What makes a FAT file system may be missing outside, and what reads one too.
chroot "$work" mkfs.vfat "$efi" >/dev/null

partition_uuid() { printf 'PARTUUID=%s' "$(sfdisk --part-uuid "$file" "$1" | tr '[:upper:]' '[:lower:]')"; }
cat >"$work/etc/fstab" <<END
$(partition_uuid 1) / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1
$(partition_uuid 15) /boot/efi vfat defaults 0 0
END
cat >"$work/etc/systemd/network/80-dhcp.network" <<'END'
[Match]
Name=en* eth*

[Network]
DHCP=yes
END
echo machine >"$work/etc/hostname"
printf '127.0.0.1\tlocalhost\n127.0.1.1\tmachine\n' >"$work/etc/hosts"
printf 'deb [trusted=yes] %s/debian ./\n' "$packages" >"$work/etc/apt/sources.list"
printf 'deb [trusted=yes] %s/security bookworm-security main\n' "$packages" >"$work/etc/apt/sources.list.d/security.list"
printf 'admin ALL=(ALL) NOPASSWD:ALL\n' >"$work/etc/sudoers.d/90-cloud-init-users"
chmod 0440 "$work/etc/sudoers.d/90-cloud-init-users"
chroot "$work" bash -euo pipefail -s "$key" <<'END'
useradd --create-home --shell /bin/bash --groups adm,sudo admin
install -d -m 0700 -o admin -g admin /home/admin/.ssh
printf '%s\n' "$1" >/home/admin/.ssh/authorized_keys
chown admin:admin /home/admin/.ssh/authorized_keys
chmod 0600 /home/admin/.ssh/authorized_keys
ssh-keygen -A >/dev/null
mkdir -p /boot/grub
cp -r /usr/lib/grub/i386-pc /boot/grub/
grub-editenv /boot/grub/grubenv create
# The menu is for nobody, and each second of it is thirty of an emulated machine.
sed -i 's/^GRUB_TIMEOUT=.*/GRUB_TIMEOUT=0/' /etc/default/grub
update-grub >/dev/null 2>&1
END
# Without udev GRUB names the device by what it is called here.
sed -i "s|root=$node |root=UUID=$(blkid -s UUID -o value "$root") |" "$work/boot/grub/grub.cfg"
grep -q 'vmlinuz.* root=UUID=' "$work/boot/grub/grub.cfg"

# grub-install wants the disk and its partitions as the kernel's own. What it would do: the first sector loads the second stage, whose first
# sector loads the rest of it. Both hold the number of the sector that they go on with.
grub=$work/usr/lib/grub/i386-pc
chroot "$work" grub-mkimage --format=i386-pc --output=/boot/grub/i386-pc/core.img --prefix='(hd0,gpt1)/boot/grub' \
  biosdisk part_gpt ext2 search_fs_uuid
put() { dd of="$file" bs=1 conv=notrunc status=none "$@"; }
head --bytes 440 "$grub/boot.img" | put
printf '\x00\x08\0\0\0\0\0\0' | put seek=$((0x5c))
dd of="$file" conv=notrunc status=none if="$work/boot/grub/i386-pc/core.img" seek=2048
printf '\x01\x08\0\0\0\0\0\0' | put seek=$((2048 * 512 + 0x1f4))
cat "$work/etc/ssh/ssh_host_ed25519_key.pub"
