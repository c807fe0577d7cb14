// The one writer of the store.
//
// Runs on a thread of its own, since a commit waits for the disk. What is in
// its mailbox when it gets to write becomes one transaction, so a hundred
// sessions that change at the same time cost one fsync. Each request is
// answered after its transaction is on disk, or with why it is not. Where the
// disk is full, changes of sessions and revocations get room from the reserve.
#pragma once

#include "actors/store/changes.hpp"
#include "messages/moving.hpp"
#include "messages/webhooks.hpp"
#include "runtime/store/batch.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace greenroom {

class disk_reserve;

/// Requests in one transaction; more than that wait for the next one.
inline constexpr std::size_t max_batch = 512;

/// Requests that wait, as behind a disk that stalls; more are refused as
/// overloaded. Above what the edge lets in, so only a fault gets there.
inline constexpr std::size_t max_store_jobs = 16'384;

/// With what the deliverer of webhooks asks of it, what is noted of execs, and
/// what retention asks.
using full_store_writer =
  store_writer_core::extend_with<webhook_writer_actor>::extend_with<
    exec_notes_actor>::extend_with<old_rows_actor>;

struct store_writer_state {
  static inline const char* name = "store-writer";

  struct job {
    store::operation write;
    std::function<void(const std::exception_ptr&)> answer;
    bool has_reserve = false; // may use the disk's reserve
  };

  std::unique_ptr<store::connection> connection;
  store_changes changes;
  disk_reserve* reserve = nullptr;
  std::vector<job> jobs;
  bool scheduled = false;
  deliveries_watcher_actor deliverer; // of webhooks; null: there is none
};

/// To be spawned detached. Takes the connection over; `reserve` outlives it,
/// null: there is none. Where the store is `shared` with other nodes, it writes
/// only to projects that `node` owns.
full_store_writer::behavior_type
store_writer(full_store_writer::stateful_pointer<store_writer_state> self,
             std::shared_ptr<std::unique_ptr<store::connection>> connection,
             std::string node, disk_reserve* reserve, bool shared);

} // namespace greenroom
