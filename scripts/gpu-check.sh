#!/bin/sh
# Unpacks the parts of `make gpu-bundle` and runs `harness gpu-check` in them, with this
# host's NVIDIA driver. Needs nothing of the host but root, util-linux, coreutils, tar and xz.
#
#   sh gpu-check.sh [--parts DIR] [--to DIR] [--report DIR] [--verify] [-- OPTIONS...]
#
#   --parts DIR    folder of the parts (default: this script's)
#   --to DIR       where to unpack, kept for the next run (default: a temporary folder)
#   --report DIR   where the report goes (default: ./gpu-report)
#   --verify       check the parts only
#   OPTIONS        of `harness gpu-check`, such as --only chrome,nvdec
#
# Exit code: that of `harness gpu-check`; 2 a wrong option or a damaged part, 3 the host
# lacks something, 130 interrupted. All mounts are made in a mount namespace of its own and
# end with it, whatever happens; nothing of the host is changed.
set -eu

say() { echo "gpu-check: $1" >&2; }
fail() {
  say "$2"
  exit "$1"
}

# Inside the namespace: mounts the host's kernel interfaces and driver, and enters.
inside() {
  root=$1 report=$2
  shift 2
  mount -t proc proc "$root/proc"
  mount --rbind /sys "$root/sys"
  mount --rbind /dev "$root/dev"
  # Its own, for another harness on this host must not take our rings for dead ones.
  mount -t tmpfs -o mode=1777,size=4g tmpfs "$root/dev/shm"
  mkdir -p "$root/report"
  mount --bind "$report" "$root/report"
  driver "$root"
  cd /
  # Not exec: as process 1 this shell collects orphans.
  PATH=$PATH:/usr/sbin:/sbin chroot "$root" /usr/bin/env -i \
    PATH=/usr/local/bin:/usr/bin:/bin HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" \
    PYTHONUNBUFFERED=1 ${icd:+VK_DRIVER_FILES=$icd} \
    /bin/sh -c 'cd /opt/uisplice && exec python3 -m harness.cli gpu-check \
      --output /report --revision "$(cat REVISION), bundle" "$@"' gpu-check "$@"
}

# The host's NVIDIA driver: as the container toolkit does, each library at its own name in
# the folder that the loader searches, and the Vulkan manifest. Sets icd.
driver() {
  icd=""
  libraries=$1/usr/lib/x86_64-linux-gnu
  where=$(ldconfig -p 2>/dev/null \
    | awk '/x86-64.*=> .*\/lib(cuda|nvidia-ml|GLX_nvidia|nvcuvid)\.so/ { print $NF }' \
    | while read -r path; do dirname "$path"; done)
  where="$where
/usr/local/nvidia/lib64
/usr/local/nvidia/lib
/usr/lib/x86_64-linux-gnu
/usr/lib64
/usr/lib/x86_64-linux-gnu/nvidia/current"
  for folder in $(echo "$where" | awk 'NF && !seen[$0]++'); do
    for path in "$folder"/libcuda.so* "$folder"/libnvidia-*.so* "$folder"/libnvcuvid.so* \
      "$folder"/libGLX_nvidia.so* "$folder"/libEGL_nvidia.so*; do
      target=$libraries/${path##*/}
      # An empty one is what an earlier run made to mount on.
      { [ -f "$path" ] && [ ! -s "$target" ]; } || continue
      : >"$target"
      mount --bind "$(readlink -f "$path")" "$target"
      mount -o remount,bind,ro "$target" 2>/dev/null || true
    done
  done
  # Without a display the Vulkan driver starts through EGL and asks glvnd for its vendor.
  mkdir -p "$1/usr/share/glvnd/egl_vendor.d"
  echo '{"file_format_version": "1.0.0", "ICD": {"library_path": "libEGL_nvidia.so.0"}}' \
    >"$1/usr/share/glvnd/egl_vendor.d/10_nvidia.json"
  program=$(command -v nvidia-smi || ls /usr/local/nvidia/bin/nvidia-smi 2>/dev/null || true)
  if [ -n "$program" ]; then
    : >"$1/usr/bin/nvidia-smi"
    mount --bind "$(readlink -f "$program")" "$1/usr/bin/nvidia-smi"
  fi
  for path in /usr/local/nvidia/share/vulkan/icd.d/nvidia_icd*.json \
    /etc/vulkan/icd.d/nvidia_icd*.json /usr/share/vulkan/icd.d/nvidia_icd*.json; do
    [ -f "$path" ] || continue
    mkdir -p "$1/etc/vulkan/icd.d"
    # A path of the host means nothing here; by its bare name the library is found.
    sed 's#"library_path"\(.*\)"[^"]*/\([^"/]*\)"#"library_path"\1"\2"#' "$path" \
      >"$1/etc/vulkan/icd.d/nvidia_icd.json"
    icd=/etc/vulkan/icd.d/nvidia_icd.json
    break
  done
}

if [ "${1:-}" = --inside ]; then
  shift
  inside "$@"
  exit
fi

parts=$(cd "$(dirname "$0")" && pwd) to="" report=gpu-report verify=""
while [ $# -gt 0 ]; do
  case $1 in
    --parts | --to | --report)
      [ $# -ge 2 ] || fail 2 "$1 needs a folder"
      case $1 in
        --parts) parts=$2 ;;
        --to) to=$2 ;;
        --report) report=$2 ;;
      esac
      shift 2 ;;
    --verify) verify=yes; shift ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    --) shift; break ;;
    *) fail 2 "unknown option $1; what to do: see --help, and put options of harness gpu-check after --" ;;
  esac
done

[ -f "$parts/MANIFEST" ] || fail 2 "$parts has no MANIFEST; what to do: name the folder of the parts with --parts"
bad=$(cd "$parts" && LC_ALL=C sha256sum -c MANIFEST 2>/dev/null | grep -v ': OK$' || true)
[ -z "$bad" ] || fail 2 "damaged or missing in $parts: $(echo $bad); what to do: copy these again"
say "$(wc -l <"$parts/MANIFEST") parts are whole"
[ -z "$verify" ] || exit 0

[ "$(id -u)" = 0 ] || fail 3 "needs root, to mount and to enter another root; what to do: sudo sh $0"
command -v unshare >/dev/null || fail 3 "unshare is missing; what to do: install util-linux"
unshare --mount --pid --fork true 2>/dev/null \
  || fail 3 "this host or container allows no mounts; what to do: run on the host itself, or give the container CAP_SYS_ADMIN (docker run --privileged)"
if command -v xz >/dev/null; then
  unpacker="xz -dc -T0"
else
  command -v python3 >/dev/null || fail 3 "neither xz nor python3 is there; what to do: install xz-utils"
  unpacker="python3 -c 'import lzma,shutil,sys;shutil.copyfileobj(lzma.open(sys.stdin.buffer),sys.stdout.buffer,1<<20)'"
fi

scratch=""
if [ -z "$to" ]; then
  scratch=$(mktemp -d)
  to=$scratch/root
fi
# What is mounted lives in another namespace; should a mount be seen here, it is not entered.
trap '[ -z "$scratch" ] || rm -rf --one-file-system "$scratch"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$to" "$report"
report=$(cd "$report" && pwd)
to=$(cd "$to" && pwd)
if ! cmp -s "$parts/MANIFEST" "$to/.manifest"; then
  [ -z "$(ls -A "$to")" ] || fail 2 "$to holds something else; what to do: name an empty folder with --to"
  say "unpacking to $to"
  cat "$parts"/gpu-bundle.tar.xz.* | eval "$unpacker" | tar -x -C "$to"
  cp "$parts/MANIFEST" "$to/.manifest"
fi
code=0
unshare --mount --propagation private --pid --fork --kill-child \
  sh "$0" --inside "$to" "$report" "$@" || code=$?
say "report: $report"
exit $code
