#!/bin/sh
# An outside project without CMake: build.sh <output folder> [pkg-config options...]
set -eu
here=$(dirname "$0")
output=$1
shift
mkdir -p "$output"
# Word splitting of the flags is wanted.
${CXX:-c++} -std=c++20 -o "$output/use_stream" "$here/../use_stream.cpp" \
  $(pkg-config --cflags --libs "$@" forebay-core)
if pkg-config --exists forebay-socket; then
  pkg-config --libs "$@" forebay-socket | grep -q -- -lforebay_core
fi
if [ -n "${Arrow_ROOT:-}" ] && pkg-config --exists forebay-arrow; then
  ${CXX:-c++} -std=c++20 -o "$output/use_arrow" "$here/../use_arrow.cpp" \
    $(pkg-config --define-variable=arrow_root="$Arrow_ROOT" --cflags --libs "$@" forebay-arrow) \
    -Wl,-rpath,"$Arrow_ROOT"
fi
