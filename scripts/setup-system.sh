#!/bin/sh
# Installs what a Debian or Ubuntu machine lacks to build and run the project.
# With `test`, also what only the tests need. Does nothing, and needs no rights, when
# everything is there. Ends with 3, and says which command to run, where it cannot.
set -eu

say() {
  echo "setup: $1" >&2
}

build="gcc g++ cmake ninja-build pkg-config libx264-dev libyuv-dev libopenh264-dev libvulkan-dev"
build="$build libffmpeg-nvenc-dev"  # the public headers of NVENC, NVDEC and the CUDA driver
python="python3 python3-venv python3-dev"
# libegl1: without a display NVIDIA's Vulkan driver starts through it.
# Inter for the look-alike site; DejaVu has its other letterings and every other page.
run="xvfb mesa-vulkan-drivers libegl1 ffmpeg fonts-dejavu-core fonts-inter ca-certificates"
test=""
optional=""
if [ "${1:-}" = test ]; then
  # clang for the fuzz targets: gcc has no libFuzzer.
  test="vulkan-validationlayers clang"
  # Its runtimes: a package of their own since LLVM 14.0.6, part of clang before (Ubuntu 22.04).
  optional="libclang-rt-dev"
  # node for the third decoder; one that is not Debian's is used as it is.
  command -v node >/dev/null 2>&1 || test="$test nodejs"
  command -v npm >/dev/null 2>&1 || test="$test npm"
fi

# A snap sees neither the layer's files nor the profile: as harness/browser_program.py has it.
is_snap() {
  real=$(readlink -f "$1")
  case "$1 $real" in
    */snap/* | */snap) return 0 ;;
  esac
  # Ubuntu's chromium-browser is a script that runs the snap, or asks for it.
  [ "$(head -c 2 "$real" | tr -d '\0')" = "#!" ] \
    && head -c 4096 "$real" | grep -q -e /snap/bin/ -e 'snap install'
}

# A browser that the user named or already has is used as it is.
browser_found() {
  [ -z "${UISPLICE_BROWSER:-}" ] || return 0
  for name in google-chrome google-chrome-stable chromium chromium-browser; do
    path=$(command -v "$name" 2>/dev/null) || continue
    is_snap "$path" || return 0
    snap=$path
  done
  return 1
}

snap=""
browser=""
. "${OS_RELEASE:-/etc/os-release}" # another file in tests
if ! browser_found; then
  case "${ID:-}" in
    ubuntu)
      if [ -n "$snap" ]; then
        say "the only browser, $snap, is a snap: it cannot load the layer"
      else
        say "no browser, and Ubuntu's own chromium is a snap, which cannot load the layer"
      fi
      if [ "$(dpkg --print-architecture)" = amd64 ]; then
        deb=google-chrome-stable_current_amd64.deb
        say "install Google Chrome, then run make again:"
        say "  wget -P /tmp https://dl.google.com/linux/direct/$deb"
        say "  sudo apt-get install -y /tmp/$deb"
        say "or name a browser that is no snap:"
      else
        say "Google has no Chrome for this machine; name a browser that is no snap:"
      fi
      say "  make demo BROWSER=/path/to/chrome"
      exit 3 ;;
    # With the helper for kernels that give a normal user's Chrome no sandbox of theirs.
    *) browser="chromium chromium-sandbox" ;;
  esac
fi

if ! command -v dpkg-query >/dev/null 2>&1; then
  say "this system has no Debian packages; what is needed, by Debian's names:"
  say "  $build $python $run $test $optional $browser"
  exit 3
fi

# Those of the packages named that are not installed.
missing_of() {
  for package in "$@"; do
    status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || echo "$package"
  done | paste -sd ' ' -
}

# shellcheck disable=SC2086 -- lists of package names, here and below
missing=$(missing_of $build $python $run $test $browser)
for package in $(missing_of $optional); do
  # Before the first apt-get update apt knows nothing: then with the others, after it.
  if [ -n "$missing" ] || apt-cache show "$package" >/dev/null 2>&1; then
    missing="$missing $package"
  fi
done
missing=${missing# }
[ -n "$missing" ] || exit 0

by_hand() {
  say "what to do, as root: apt-get update && apt-get install -y --no-install-recommends $missing"
  exit 3
}

sudo=""
if [ "$(id -u)" != 0 ]; then
  sudo="sudo"
  # Without a terminal it must not ask.
  if ! command -v sudo >/dev/null 2>&1 || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
    say "packages are missing, and neither root nor sudo is at hand"
    by_hand
  fi
fi
echo "setup: installing $missing"
$sudo apt-get update -q || { say "apt-get update failed, see above"; by_hand; }
known=""
unknown=""
for package in $missing; do
  if apt-cache show "$package" >/dev/null 2>&1; then
    known="$known $package"
  else
    case " $optional " in
      *" $package "*) ;;
      *) unknown="$unknown $package" ;;
    esac
  fi
done
if [ -n "$unknown" ]; then
  say "the package sources of ${PRETTY_NAME:-this system} have no$unknown"
  [ "${ID:-}" != ubuntu ] || say "on Ubuntu they are in universe: sudo add-apt-repository universe"
  exit 3
fi
[ -n "$known" ] || exit 0
missing=${known# }
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing \
  || { say "apt-get install failed, see above"; by_hand; }
