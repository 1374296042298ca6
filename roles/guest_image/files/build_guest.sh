#!/bin/sh
# Builds the guest (vmlinuz, initrd.img, manifest.txt) from Debian packages.
#
#   build_guest.sh SOURCE_DIR OUTPUT_DIR
#
# The packages come from this machine's own package sources, so the guest's
# kernel is that of the machine's own Debian release. They are unpacked into a
# tree of their own and never installed: the machine gets neither a kernel nor a
# compiler. The same packages give the same initrd, byte for byte.
set -eu

source_dir=$1
output_dir=$2

# Beside the result: /tmp may be in memory, with less room than the 700 MB that this takes.
mkdir -p "$output_dir"
rm -rf "$output_dir"/build.*
work=$(mktemp -d "$output_dir/build.XXXXXX")
chmod 0755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
tree=$work/tree
root=$tree/guest

# An empty package state: apt resolves everything that is needed, not only what
# this machine lacks.
mkdir -p "$work/archives/partial"
: > "$work/status"
apt-get --quiet --quiet --yes --download-only --no-install-recommends \
    -o "Dir::State::status=$work/status" \
    -o "Dir::State::extended_states=$work/extended_states" \
    -o "Dir::Cache::archives=$work/archives" \
    -o Debug::NoLocking=1 \
    -o APT::Sandbox::User=root \
    install linux-image-cloud-amd64 busybox-static stress stress-ng \
    gcc libc6-dev kmod cpio xz-utils

# The directories that Debian's packages expect to find merged.
for directory in bin sbin lib lib64; do
    mkdir -p "$tree/usr/$directory"
    ln -s "usr/$directory" "$tree/$directory"
done
for package in "$work"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" |
        tar --extract --directory="$tree" --keep-directory-symlink \
            --exclude='./usr/share/doc*' --exclude='./usr/share/man*' \
            --exclude='./usr/share/locale*'
done

kernel=$(basename "$tree"/boot/vmlinuz-*)
kernel=${kernel#vmlinuz-}

# The agent: static, so that it does not care what else is in the guest. There
# may be no shell in the tree, so its sources are named from outside.
mkdir "$tree/agent"
cp "$source_dir"/*.c "$source_dir"/*.h "$tree/agent/"
sources=$(cd "$source_dir" && printf '/agent/%s ' *.c)
# shellcheck disable=SC2086 # one word for each source
chroot "$tree" gcc -D_GNU_SOURCE -std=gnu11 -O2 \
    -Wall -Wextra -Wshadow -Wconversion -Werror \
    -static -pthread -s -o /agent/guest-agent $sources
chroot "$tree" /agent/guest-agent self-test

mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" \
    "$root/usr/bin" "$root/lib/modules"
ln -s lib "$root/lib64"
cp "$tree/bin/busybox" "$root/bin/"
cp "$tree/agent/guest-agent" "$root/bin/"
install -m 0755 "$source_dir/init" "$root/init"

# The stressors with the libraries they load, found by the tree's own loader.
for program in stress stress-ng; do
    cp "$tree/usr/bin/$program" "$root/usr/bin/"
    chroot "$tree" /lib64/ld-linux-x86-64.so.2 --list "/usr/bin/$program" |
        awk '/=> \// { print $3 } $1 ~ /^\/.*ld-linux/ { print $1 }' |
        while read -r library; do
            cp -L "$tree/$library" "$root/lib/"
        done
done

# The network driver with all it needs. Newer releases compress modules.
chroot "$tree" depmod "$kernel"
for driver in virtio_pci virtio_net; do
    chroot "$tree" modprobe --set-version "$kernel" --show-depends "$driver"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
    while read -r module; do
        name=$(basename "$module" .xz)
        case $module in
            *.xz) chroot "$tree" xz -dc "$module" > "$root/lib/modules/$name" ;;
            *) cp "$tree/$module" "$root/lib/modules/$name" ;;
        esac
        echo "$name"
    done > "$root/lib/modules/order"

# One time stamp, one owner, one order: the archive depends on its content only.
find "$root" -exec touch -h -d @0 {} +
(cd "$root" && find . -print0 | LC_ALL=C sort -z) |
    chroot "$tree" cpio --directory=/guest --quiet --null --create --format=newc \
        --reproducible --owner=0:0 |
    gzip -n -6 > "$work/initrd.img"

cp "$tree/boot/vmlinuz-$kernel" "$work/vmlinuz"
{
    echo "kernel $kernel"
    for package in "$work"/archives/*.deb; do
        dpkg-deb --show --showformat='${Package} ${Version}\n' "$package"
    done
} > "$work/manifest.txt"

# Renamed into place at the end: a build that was cut short leaves no half of it.
for name in vmlinuz initrd.img manifest.txt; do
    install -m 0644 "$work/$name" "$output_dir/$name.new"
    mv "$output_dir/$name.new" "$output_dir/$name"
done
