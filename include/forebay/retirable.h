// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace forebay {

/// What can be retired: a base of the object, or a member of it. `reclaim` must not throw; it runs
/// on the thread that drops the last guard, or inside retire(), and may free the object.
struct Retirable {
  /// The domain's own, from retire() on.
  Retirable* next_retired = nullptr;
  /// Called once, when nobody can look at the object any more.
  void (*reclaim)(Retirable*) noexcept = nullptr;
};

}  // namespace forebay
