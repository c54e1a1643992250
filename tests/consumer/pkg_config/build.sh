#!/bin/sh
# An outside project without CMake: build.sh <output folder> [pkg-config options...]
set -eu
here=$(dirname "$0")
output=$1
shift
mkdir -p "$output"

# program <name> <package> [pkg-config options...]; the flags are meant to be split into words.
program() {
  name=$1
  package=$2
  shift 2
  ${CXX:-c++} -std=c++20 $(pkg-config --cflags "$@" "$package") \
    -c "$here/../$name.cpp" -o "$output/$name.o"
  ${CXX:-c++} "$output/$name.o" -o "$output/$name" $(pkg-config --libs "$@" "$package") \
    ${Arrow_ROOT:+-Wl,-rpath,"$Arrow_ROOT"}
}

program use_stream forebay-core "$@"
if pkg-config --exists forebay-socket; then
  program use_stream forebay-socket "$@"
fi
if [ -n "${Arrow_ROOT:-}" ] && pkg-config --exists forebay-arrow; then
  program use_arrow forebay-arrow --define-variable=arrow_root="$Arrow_ROOT" "$@"
fi
if pkg-config --exists forebay-grpc; then
  program use_grpc forebay-grpc "$@"
fi
if [ -n "${Arrow_ROOT:-}" ] && pkg-config --exists forebay-udf; then
  program use_udf forebay-udf --define-variable=arrow_root="$Arrow_ROOT" "$@"
fi
