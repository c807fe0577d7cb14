// What all git connections of a node share.
//
// Made by the listener, used on its thread only. Bounds: max_transfers git
// processes at a time, max_per_session of them for one session; more are told
// to try again.
#pragma once

#include "http/base/asio.hpp"
#include "http/base/options.hpp"
#include "http/edge/actor_system.hpp"
#include "http/edge/bridge.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/peers.hpp"
#include "http/git/change_audit.hpp"
#include "http/git/upstream_turns.hpp"
#include "messages/directory.hpp"
#include "messages/git.hpp"
#include "runtime/sandbox/plan.hpp"

#include <boost/asio/thread_pool.hpp>
#include <spdlog/logger.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

namespace greenroom {
class git_service;
}

namespace greenroom::http::git_http {

inline constexpr std::size_t max_transfers = 64;
inline constexpr std::size_t max_per_session = 16;

/// How many contents of Git LFS, or references, a project's upstream is asked
/// for, or brought, at a time, of which the last is for a session that has
/// none; and how long others wait for that.
inline constexpr std::size_t max_upstream_calls = 3;
inline constexpr std::chrono::seconds upstream_timeout{30};

struct git_context {
  const http::options& options;
  http::actor_system& system;
  directory_actor directory;
  std::shared_ptr<const sandbox::host> sandbox;
  std::shared_ptr<spdlog::logger> log;
  std::shared_ptr<http::loop> loop;
  http::bridge& bridge;
  git_actor workers; // null: the upstream's branches are not shown
  std::shared_ptr<const http::peers> peers; // null: this node is alone
  std::shared_ptr<git_service> git; // null: nothing is asked of upstreams
  std::shared_ptr<asio::thread_pool> waiting; // for what waits for upstreams
  std::shared_ptr<asio::thread_pool> disk;    // for what waits for files only
  upstream_turns turns{max_upstream_calls, upstream_timeout};

  std::size_t transfers = 0;
  std::unordered_map<std::string, std::size_t> of_session;
  bool stopping = false;
  std::optional<change_audit> audit; // set by the listener
};

} // namespace greenroom::http::git_http
