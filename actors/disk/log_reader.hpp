// Replays and timeline pages, read from the sessions' directories.
#pragma once

#include "actors/base/worker_pool.hpp"
#include "messages/log_reader.hpp"

#include <filesystem>

namespace greenroom {

/// A pool of `workers` threads; at most `queue` requests wait for one.
log_reader_actor::behavior_type log_reader(
  log_reader_actor::stateful_pointer<worker_pool<log_reader_actor>> self,
  std::filesystem::path data_dir, std::size_t workers, std::size_t queue);

} // namespace greenroom
