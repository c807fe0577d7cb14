// The HTTP server: one event loop, acceptor and bridge actor per thread, all
// on one port by SO_REUSEPORT.
//
// Owned by the composition root; start and stop are for one thread. Bounds:
// connections (beyond them nobody is accepted), requests that wait for actors,
// bodies, URLs and headers, and the time that each step of a client may take.
// With too few descriptors for the configured connections it takes fewer; those
// of git and of previews have their part of the descriptors.
#pragma once

#include "http/base/options.hpp"
#include "http/edge/actor_system.hpp"
#include "http/edge/thread_context.hpp"
#include "http/proxy/preview_store.hpp"
#include "messages/operations.hpp"
#include "messages/webhooks.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace spdlog {
class logger;
}

namespace greenroom::sandbox {
struct host;
}

namespace greenroom {
class git_service;
class metrics_page;
struct node_counters;
} // namespace greenroom

namespace greenroom::http {

class console_files;
class file_readers;
class http_thread;
struct create_rates;
struct descriptor_budget;
struct node_monitor;
struct peers;
class stream_shares;
namespace git_http {
class listener;
}
namespace proxy {
class listener;
class preview_settings;
} // namespace proxy

/// Whom the server talks to. All must outlive it but the handles.
struct server_parts {
  http::actor_system& system;
  const key_ring& keys;
  directory_actor directory;
  key_registry_actor registry;
  store_writer_actor store;
  readiness ready;                     // empty: always ready
  readiness warnings;                  // empty: none
  std::shared_ptr<spdlog::logger> log; // null: spdlog's default
  // Where git runs in sessions; null: git is not served.
  std::shared_ptr<const sandbox::host> sandbox = nullptr;
  // Told where previews listen before anybody is served. May be empty.
  std::function<void(std::uint16_t port)> previews_listen = {};
  std::shared_ptr<git_service> git = nullptr; // for `origin` in sessions
  git_actor workers{}; // who know the upstream's branches
  std::shared_ptr<const peers> others = nullptr; // null: this node is alone
  node_lister_actor nodes{};
  // For those who operate it: see node_monitor. Null counters: own ones.
  std::string node = {};
  operations_actor operations = {};
  std::shared_ptr<node_counters> counters = nullptr;
  std::function<void(metrics_page&)> figures = {};
  std::function<std::string(const std::string& session_id)> usage = {};
  webhooks_actor webhooks = {};
  // Where the settings of previews are kept; empty: in files.
  proxy::preview_store previews = {};
};

class server {
public:
  server(options opts, server_parts parts);
  server(const server&) = delete;
  server& operator=(const server&) = delete;
  ~server();

  /// Listens and serves. Throws std::runtime_error with one sentence where it
  /// cannot.
  void start();

  /// The port that was bound, after `start`.
  std::uint16_t port() const noexcept {
    return port_;
  }

  /// The port of git's own endpoint, after `start`; 0: it has none.
  std::uint16_t git_port() const noexcept {
    return options_.git_port;
  }

  /// The port of previews, after `start`; 0: there are none.
  std::uint16_t preview_port() const noexcept {
    return options_.preview_port;
  }

  /// Stops accepting, ends all streams, lets what is being answered end for at
  /// most `grace`, and joins its threads.
  void stop(std::chrono::milliseconds grace = std::chrono::seconds{5});

private:
  std::vector<std::unique_ptr<http_thread>>
  make_threads(const std::string& address, const descriptor_budget& budget);
  void start_git(std::size_t connections);
  void start_previews(std::size_t connections);

  options options_; // not changed once threads run
  server_parts parts_;
  std::unique_ptr<git_http::listener> git_; // null: git is not served
  std::unique_ptr<stream_shares> shares_;
  std::unique_ptr<proxy::preview_settings> preview_settings_;
  std::unique_ptr<console_files> console_;
  std::unique_ptr<node_monitor> monitor_;
  std::unique_ptr<create_rates> rates_;
  std::unique_ptr<proxy::listener> previews_; // null: they are not served
  std::vector<std::unique_ptr<http_thread>> threads_;
  std::unique_ptr<file_readers> files_; // works for the threads
  std::uint16_t port_ = 0;
};

} // namespace greenroom::http
