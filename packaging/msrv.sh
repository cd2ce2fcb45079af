#!/usr/bin/env bash
# Builds everything with the oldest Rust that Cargo.toml promises, which rustup fetches, and runs the tests with it.
#
#   packaging/msrv.sh [ARGUMENT OF cargo test ...]
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
rustup toolchain install "$version" --profile minimal --no-self-update
cargo "+$version" --version
CARGO_TARGET_DIR=target/msrv cargo "+$version" test --locked --no-fail-fast "$@"
