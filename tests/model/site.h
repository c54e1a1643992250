// SPDX-License-Identifier: Apache-2.0
#pragma once

// Source lines of the library that a model executed with an ordering, and the one that is weakened.
//
// An operation of the model policy knows the line that called it. A program can so list the lines
// where it met an ordering, and run again with one of them weakened, without being built again:
// that is how each ordering gets its negative control.

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <source_location>
#include <string>

namespace forebay::model {

/// A place in the sources. The column tells operations of one line apart.
using Site = std::source_location;

/// The name of a file without its folders.
inline const char* base_name(const char* path) noexcept {
  const char* slash = std::strrchr(path, '/');
  return slash != nullptr ? slash + 1 : path;
}

/// What an operation becomes at the weakened line.
struct Weakening {
  std::string file;  ///< base name
  unsigned line = 0;
  unsigned column = 0;                               ///< 0: any
  std::memory_order to = std::memory_order_relaxed;  ///< barriers of any kind are left out

  [[nodiscard]] bool matches(const Site& site) const noexcept {
    return site.line() == line && (column == 0 || site.column() == column) &&
           file == base_name(site.file_name());
  }
};

// Fixed memory: the checker owns the allocator while a model runs.
inline Weakening g_weakening;
inline bool g_list_sites = false;

struct SeenSite {
  Site site;
  const char* operation = nullptr;
  const char* ordering = nullptr;
};
inline constexpr int kSeenSitesMax = 512;
inline SeenSite g_seen_sites[kSeenSitesMax];
inline int g_seen_site_count = 0;

inline const char* name_of(std::memory_order order) noexcept {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
      return "consume";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      return "seq_cst";
  }
  return "?";
}

/// Notes that `operation` ran at `site` with `ordering`, once per pair.
inline void note_site(const Site& site, const char* operation, const char* ordering) noexcept {
  if (!g_list_sites) [[likely]]
    return;
  for (int i = 0; i < g_seen_site_count; ++i) {
    const SeenSite& seen = g_seen_sites[i];
    if (seen.site.line() == site.line() && seen.site.column() == site.column() &&
        std::strcmp(seen.site.file_name(), site.file_name()) == 0 &&
        std::strcmp(seen.operation, operation) == 0) {
      return;
    }
  }
  if (g_seen_site_count == kSeenSitesMax) {
    std::fprintf(stderr, "more than %d source lines with an ordering\n", kSeenSitesMax);
    std::abort();
  }
  g_seen_sites[g_seen_site_count++] = {site, operation, ordering};
}

/// The ordering that an operation with `order` has at `site` in this run.
inline std::memory_order order_at(std::memory_order order, const char* operation,
                                  const Site& site) noexcept {
  if (order == std::memory_order_relaxed) return order;
  note_site(site, operation, name_of(order));
  if (g_weakening.line != 0 && g_weakening.matches(site)) [[unlikely]]
    return g_weakening.to;
  return order;
}

/// Whether a barrier runs at `site` in this run.
inline bool barrier_at(const char* operation, const Site& site) noexcept {
  note_site(site, operation, "barrier");
  return !(g_weakening.line != 0 && g_weakening.matches(site));
}

}  // namespace forebay::model
