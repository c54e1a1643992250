// SPDX-License-Identifier: Apache-2.0

// The same guard as in the tests of the core: a test that hangs dies and says which one it was.
#include "unit/core/hang_guard.cpp"
