#!/bin/sh
# Builds the libFuzzer targets (native/fuzz) into build/fuzz, and runs each for so many
# seconds: fuzz.sh [SECONDS]. With `build` instead of a number it only builds.
# Inputs that were found to reach new code stay in build/fuzz/found and are used again
# next time; inputs that crash, hang or eat memory are kept in reports/fuzz.
set -eu
cd "$(dirname "$0")/.."

if ! command -v clang >/dev/null 2>&1; then
  echo "fuzz: clang is missing; \`make setup\` installs it" >&2
  exit 3
fi
bin=build/fuzz/native/fuzz
cmake -S . -B build/fuzz -G Ninja -DUISPLICE_FUZZ=ON -DUISPLICE_WERROR=ON \
  -DCMAKE_C_COMPILER=clang >/dev/null
cmake --build build/fuzz
[ "${1:-}" != build ] || exit 0
seconds=${1:-600}

failed=""
# A target, and the folder of its seeds.
for pair in stream:stream edited:stream splice:splice ring:ring link:link; do
  target=${pair%%:*}
  found=build/fuzz/found/$target
  crashers=reports/fuzz/$target
  mkdir -p "$found" "$crashers"
  echo "fuzz: $target for $seconds seconds"
  UBSAN_OPTIONS=print_stacktrace=1 "$bin/fuzz_$target" "$found" "native/fuzz/corpus/${pair##*:}" \
    -max_total_time="$seconds" -timeout=20 -artifact_prefix="$crashers/" \
    -print_final_stats=1 || failed="$failed $target"
done
if [ -n "$failed" ]; then
  echo "fuzz: FAILED:$failed. What was found lies in reports/fuzz/TARGET/; run it again with" >&2
  echo "fuzz:   $bin/fuzz_TARGET reports/fuzz/TARGET/FILE" >&2
  exit 1
fi
echo "fuzz: nothing found"
