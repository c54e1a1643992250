// SPDX-License-Identifier: Apache-2.0
#include "forebay/shared_bytes.h"

#include "forebay/chunk.h"
#include "forebay/detail/reclaimer.h"

namespace forebay {

SharedBytes::SharedBytes(ByteView view, Retention retention) noexcept
    : view_(view), retention_(retention) {
  hold();
}

SharedBytes::SharedBytes(const SharedBytes& other) noexcept
    : view_(other.view_), retention_(other.retention_) {
  hold();
}

void SharedBytes::hold() const noexcept {
  Record* const block = record();
  if (block == nullptr) return;
  // Relaxed: a guard, the reader's turn or another share holds the block already.
  block->holders.fetch_add(retention_ == Retention::bounded ? Record::kBounded : Record::kDetached,
                           detail::relaxed);
  if (block->home == nullptr) return;
  block->home->add_reference();
  block->home->account.add_shares(1);
}

void SharedBytes::reset() noexcept {
  Record* const block = record();
  view_ = {};
  if (block == nullptr) return;
  auto* const home = block->home;
  if (home != nullptr) {
    home->account.add_shares(-1);
    // Relaxed: only restarts a clock.
    if (home->drop_watch.armed.load(detail::relaxed) != 0) {
      home->drop_watch.drops.fetch_add(1, detail::relaxed);
    }
  }
  detail::drop_hold(block, retention_ == Retention::bounded ? Record::kBounded : Record::kDetached,
                    false);
  if (home == nullptr) return;
  home->reader_event.notify();  // A reader may wait to be the only one that holds the block.
  home->drop_reference();
}

SharedBytes SharedBytes::compact() const {
  Chunk copy = Chunk::copy_of(view_);
  SharedBytes bytes;
  bytes.retention_ = Retention::bounded;
  // The chunk's hold on its block becomes the share's.
  const std::span<const std::byte> copied = copy.bytes();
  bytes.view_ = ByteView(copied.data(), copied.size(), copy.disown());
  return bytes;
}

}  // namespace forebay
