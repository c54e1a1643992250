// SPDX-License-Identifier: Apache-2.0

// libFuzzer limits the memory of a fuzzer. What AddressSanitizer keeps of freed memory counts, so
// it keeps little; and an allocation of what an input merely claims is an error by itself.

extern "C" const char* __asan_default_options() {
  return "quarantine_size_mb=8:max_allocation_size_mb=192:allocator_may_return_null=0";
}
