#!/usr/bin/env bash
# Builds Debian 12's QEMU twice for the integrity bench, to test what is at fault in it:
#
#   integrity_build.sh CACHE_DIR        as root; some 10 minutes on two cores
#
# CACHE_DIR/root-bookworm-built is the package's source unchanged, root-bookworm-tlb-reset the same with reset_tlb.patch.
# Both come from one build directory with one set of flags, so the patch is all that tells them apart.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 CACHE_DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cache=$(cd "$1" && pwd)
mirror=http://deb.debian.org/debian
builder=$cache/root-bookworm-builder

if [ ! -e "$builder/usr/bin/ninja" ]; then
  rm -rf "$builder" "$builder.tar"
  mmdebstrap --quiet --variant=apt --aptopt='APT::Install-Recommends "false"' \
    --include=qemu-system-x86,dpkg-dev,gcc,libc6-dev,pkg-config,python3,meson,ninja-build,patch,perl-base \
    --include=libglib2.0-dev,libpixman-1-dev,zlib1g-dev,libslirp-dev,libfdt-dev \
    bookworm "$builder.tar" "deb $mirror bookworm main" "deb-src $mirror bookworm main"
  mkdir "$builder"
  tar -C "$builder" -xf "$builder.tar"
  rm "$builder.tar"
fi
cp "$here/reset_tlb.patch" "$builder/"

# Its mounts live in a namespace of their own and end with it.
unshare --mount -- sh -c '
  mount --rbind /dev "$1/dev" && mount --rbind /proc "$1/proc" && exec chroot "$1" bash -euxo pipefail -s' \
  sh "$builder" <<'BUILD'
rm -rf /source && mkdir /source && cd /source
apt-get --quiet update
apt-get --quiet --option APT::Sandbox::User=root source qemu
mv qemu-*/ qemu
mkdir qemu/build && cd qemu/build
# Only what the bench's guest uses. No modules, no blobs: firmware comes from the packages, as Debian's own build has it.
../configure --prefix=/usr --target-list=x86_64-softmmu --without-default-features \
  --enable-tcg --enable-slirp --enable-fdt=system --meson=meson --disable-install-blobs \
  --firmwarepath=/usr/share/qemu:/usr/share/seabios:/usr/lib/ipxe/qemu --with-pkgversion="built, unchanged"
ninja qemu-system-x86_64
cp qemu-system-x86_64 /source/built
patch --directory=.. --strip=1 < /reset_tlb.patch
meson configure -Dpkgversion="built, TLB reset"
ninja qemu-system-x86_64
cp qemu-system-x86_64 /source/tlb-reset
BUILD

for build in built tlb-reset; do
  root=$cache/root-bookworm-$build
  rm -rf "$root"
  cp -a "$builder" "$root"
  rm -rf "$root/source"
  install "$builder/source/$build" "$root/usr/bin/qemu-system-x86_64"
  chroot "$root" qemu-system-x86_64 --version
done
