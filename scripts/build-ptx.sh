#!/bin/sh
# Makes native/src/device_pixels.ptx of the .cu file beside it. Needs CUDA's compiler, which
# building the project does not: the result is committed.
#
# The code asks for nothing new, so the file is declared as PTX 6.3, which drivers from 2018 on
# (CUDA 10) compile for any GPU since Turing; ptxas checks that this is true.
set -eu
cd "$(dirname "$0")/../native/src"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
nvcc -ptx -O3 -arch=compute_75 -o "$scratch/all.ptx" device_pixels.cu
# Comments carry the compiler's build; the rest is what counts.
sed -e '/^\/\//d' -e '/^$/d' -e 's/^\.version .*/.version 6.3/' "$scratch/all.ptx" > "$scratch/out.ptx"
ptxas -arch=sm_75 -o /dev/null "$scratch/out.ptx"
cp "$scratch/out.ptx" device_pixels.ptx
