// Blocking work on repositories: mirrors, checkouts, check-ins, rescues.
//
// A pool of threads for all projects of the node. Upstreams are asked at most
// once in a few seconds per project, however many sessions are created; a
// project's own requests to its upstream wait for each other, other projects'
// do not.
#pragma once

#include "actors/worker_pool.hpp"
#include "messages/actors.hpp"

#include <filesystem>

namespace greenroom {

/// A fetch that is younger than this need not be repeated.
inline constexpr std::chrono::seconds fetch_cache{3};

git_actor::behavior_type
git_workers(git_actor::stateful_pointer<worker_pool<git_actor>> self,
            std::filesystem::path data_dir, std::size_t workers,
            std::size_t queue);

} // namespace greenroom
