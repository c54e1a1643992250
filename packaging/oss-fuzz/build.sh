#!/usr/bin/env bash
# Builds the fuzzers the way OSS-Fuzz does: the compiler, its flags and the engine come from
# $CC, $CXX, $CXXFLAGS and $LIB_FUZZING_ENGINE, and what runs goes to $OUT. By hand, for instance:
#
#   CC=clang-14 CXX=clang++-14 CXXFLAGS="-O1 -g -fsanitize=address,fuzzer-no-link" \
#     LIB_FUZZING_ENGINE=-fsanitize=fuzzer OUT=build/oss-fuzz packaging/oss-fuzz/build.sh
#
# The fuzzer of Arrow streams is built where Arrow_ROOT names an Arrow whose standard library is
# that of $CXXFLAGS; the others need the core, the sockets and the protocol of Spark's channel only.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
: "${CC:?}" "${CXX:?}" "${CXXFLAGS:?}" "${LIB_FUZZING_ENGINE:?}" "${OUT:?}"

mkdir -p "$OUT"
out=$(cd "$OUT" && pwd)
work=${WORK:-$out/work}
with_arrow=OFF
[[ -n ${Arrow_ROOT:-} ]] && with_arrow=ON
cmake -S . -B "$work" -G Ninja \
  -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_CXX_FLAGS="$CXXFLAGS" \
  -DFOREBAY_BUILD_TESTS=OFF -DFOREBAY_INSTALL=OFF -DFOREBAY_BUILD_FUZZ=ON -DFOREBAY_HARDENED=ON \
  -DFOREBAY_FUZZING_ENGINE="$LIB_FUZZING_ENGINE" -DFOREBAY_WITH_ARROW="$with_arrow"
cmake --build "$work"

for program in "$work"/tests/fuzz/*_fuzz; do
  name=$(basename "$program" _fuzz)
  cp "$program" "$out/"
  rm -f "$out/${name}_fuzz_seed_corpus.zip"
  python3 -m zipfile -c "$out/${name}_fuzz_seed_corpus.zip" "tests/fuzz/regressions/$name"/*
  printf '[libfuzzer]\nmax_len = 4096\ntimeout = 2\nrss_limit_mb = 256\n' >"$out/${name}_fuzz.options"
done
