// What the handlers of one HTTP thread share.
//
// Made by the server for each of its threads and read by that thread alone;
// what several threads share (the key ring, readiness) takes care of itself.
#pragma once

#include "http/base/options.hpp"
#include "http/edge/actor_system.hpp"
#include "messages/cluster.hpp"
#include "messages/directory.hpp"
#include "messages/keys.hpp"
#include "messages/store.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace spdlog {
class logger;
}

namespace greenroom {
class key_ring;
}

namespace greenroom::http {

class answer_observer;
class bridge;
class console_files;
class session_subscriptions;
class inotify_watcher;
class loop;
class request_log;
class response_registry;
struct node_monitor;
struct peers;
struct create_rates;

namespace proxy {
class preview_settings;
}

/// Why the node cannot serve yet, one sentence each; empty: it is ready. Called
/// on any thread, must be quick.
using readiness = std::function<std::vector<std::string>()>;

struct edge {
  const http::options& options;
  actor_system& system;
  const key_ring& keys;
  directory_actor directory;
  key_registry_actor registry;
  store_writer_actor store;
  readiness ready;
  readiness warnings; // what it serves without, in the same form
  std::shared_ptr<spdlog::logger> log;
  request_log& requests;
  http::loop& loop;
  std::weak_ptr<http::loop> life; // of the loop, for who may outlive it
  http::bridge& bridge;
  response_registry& streams;
  http::session_subscriptions& session_subscriptions;
  inotify_watcher& logs;
  proxy::preview_settings& previews;
  const console_files& console;
  std::shared_ptr<const peers> others; // null: this node is alone
  node_lister_actor nodes;
  node_monitor& monitor;
  create_rates& rates;
  answer_observer* observer = nullptr; // set before the first request
};

} // namespace greenroom::http
