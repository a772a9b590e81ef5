#!/bin/sh
# Installs what a Debian or Ubuntu machine lacks to build and run the project.
# With `test`, also what only the tests need. Does nothing, and needs no rights, when
# everything is there.
set -eu

build="gcc g++ cmake ninja-build pkg-config libx264-dev libyuv-dev libopenh264-dev libvulkan-dev"
build="$build libffmpeg-nvenc-dev"  # the public headers of NVENC, NVDEC and the CUDA driver
python="python3 python3-venv python3-dev"
# libegl1: without a display NVIDIA's Vulkan driver starts through it.
# Inter for the look-alike site; DejaVu has its other letterings and every other page.
run="xvfb mesa-vulkan-drivers libegl1 ffmpeg fonts-dejavu-core fonts-inter ca-certificates"
test=""
if [ "${1:-}" = test ]; then
  # clang for the fuzz targets: gcc has no libFuzzer. Its runtimes are a package of their own.
  test="vulkan-validationlayers clang libclang-rt-dev"
  # node for the third decoder; one that is not Debian's is used as it is.
  command -v node >/dev/null 2>&1 || test="$test nodejs"
  command -v npm >/dev/null 2>&1 || test="$test npm"
fi

. /etc/os-release
browser=""
# A browser that the user named or already has is used as it is.
if [ -z "${UISPLICE_BROWSER:-}" ] && ! command -v google-chrome >/dev/null 2>&1 \
  && ! command -v google-chrome-stable >/dev/null 2>&1; then
  case "${ID:-}" in
    ubuntu)
      # Ubuntu's chromium is a snap: it cannot see the layer's files.
      echo "setup: on Ubuntu install Google Chrome, or name a browser:" >&2
      echo "setup:   make demo BROWSER=/path/to/chrome" >&2
      exit 3 ;;
    *) browser="chromium" ;;
  esac
fi

missing=""
for package in $build $python $run $test $browser; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  sudo=""
elif command -v sudo >/dev/null 2>&1; then
  sudo="sudo"
else
  echo "setup: these packages are missing and neither root nor sudo is at hand:$missing" >&2
  echo "setup: as root: apt-get install$missing" >&2
  exit 3
fi
echo "setup: installing$missing"
$sudo apt-get update -q
# shellcheck disable=SC2086 -- a list of package names
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
