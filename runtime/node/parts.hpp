// The parts of a node, and the steps in which they start; for sources of this
// folder. Owned by the node; each step throws start_error.
#pragma once

#include "actors/cluster/member.hpp"
#include "actors/directory.hpp"
#include "actors/git/dispatcher.hpp"
#include "actors/health.hpp"
#include "actors/key_registry.hpp"
#include "actors/operations.hpp"
#include "actors/runner_link/link.hpp"
#include "actors/session/journal/writers.hpp"
#include "actors/supervisor.hpp"
#include "http/outgoing/sender.hpp"
#include "http/server/server.hpp"
#include "messages/webhooks.hpp"
#include "runtime/auth/admin_key.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/disk/disk_reserve.hpp"
#include "runtime/disk/fsync_queue.hpp"
#include "runtime/metrics/page.hpp"
#include "runtime/metrics/session_meter.hpp"
#include "runtime/metrics/webhook_counters.hpp"
#include "runtime/node/cluster.hpp"
#include "runtime/node/configured_projects.hpp"
#include "runtime/node/membership.hpp"
#include "runtime/node/node.hpp"
#include "runtime/node/root.hpp"
#include "runtime/sandbox/host_capabilities.hpp"
#include "runtime/store/connection.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace greenroom {

// In the order in which they start; destroyed in reverse.
struct node::parts {
  config settings;
  std::filesystem::path data_dir;
  unique_fd lock;
  admin_key admin;
  std::unique_ptr<key_ring> keys;
  std::atomic<bool> ready{false};
  bool has_started = false; // all of it
  std::atomic<std::uint16_t> preview_port{0};
  std::atomic<std::size_t> reviving{0}; // sessions that have not begun yet
  std::atomic<bool> broken{false};
  node_health health;

  std::shared_ptr<const sandbox::host> host; // what sessions are shut into
  std::shared_ptr<git_service> git;
  std::unique_ptr<disk_reserve> reserve;
  unix_ms lived_until = 0; // the run of the node before; 0: not known
  project_faults faults_of_projects;
  std::unique_ptr<fsync_queue> syncer;
  std::unique_ptr<journal::writers> journals;
  std::unique_ptr<runner_link> runners;
  std::unique_ptr<session_meter> meter;
  std::unique_ptr<http::outgoing_sender> sender; // of webhooks
  webhook_counters webhook_counts;

  std::unique_ptr<caf::actor_system_config> system_settings;
  std::unique_ptr<caf::actor_system> system;
  // Of a node that is one of several; null: it is alone.
  std::unique_ptr<node_cluster> cluster;
  std::unique_ptr<node_membership> membership;
  std::shared_ptr<node_context> context;
  node_root_actor root;
  session_supervisor_full supervisor;
  own_directory_actor directory;
  shared_registry_actor registry;
  operations_actor operations;
  webhooks_actor webhooks;
  struct kept {
    caf::actor part;
    const char* what;
  };
  std::vector<kept> to_stop; // in the order of starting
  std::unique_ptr<http::server> server;
  std::atomic<const char*> stopping{""}; // what is being waited for

  template <class Handle>
  Handle keep(const char* what, Handle handle) {
    to_stop.push_back({caf::actor_cast<caf::actor>(handle), what});
    caf::anon_send(root, monitor_component{to_stop.back().part});
    return handle;
  }

  void open();
  git_settings git_settings_of() const;
  void start_actors();
  void make_context();
  void start_own(std::unique_ptr<store::connection> db);
  void start_store(std::unique_ptr<store::connection> write_to);
  void start_workers();
  void start_sessions(std::vector<project_record> projects);
  void start_registry(std::vector<key_record> stored_keys);
  std::optional<node_record> alone() const;
  void join(store::connection& db);
  void undo_join() const;
  void start_cluster();
  void start_webhooks();
  std::vector<std::string> reasons_not_ready() const;
  std::vector<std::string> warnings() const;
  void add_figures(metrics_page& page) const;
  std::string usage_of(const std::string& session_id) const;
  http::proxy::preview_store shared_previews() const;
  void start_http();
  void reconcile_sessions();
  void start_retention();
  void watch_unread();
  void stop();
  void stop_actors();
};

} // namespace greenroom
