// The second step of a start: the store and the actors, from those that others
// ask to those that ask.

#include "actors/cluster/basp.hpp"
#include "actors/disk/log_reader.hpp"
#include "actors/store/reader.hpp"
#include "actors/store/writer.hpp"
#include "actors/webhooks/deliverer.hpp"
#include "messages/ids.hpp"
#include "messages/type_ids.hpp"
#include "runtime/api_json/preview_address.hpp"
#include "runtime/base/ip_networks.hpp"
#include "runtime/base/version.hpp"
#include "runtime/node/configured_projects.hpp"
#include "runtime/node/open_store.hpp"
#include "runtime/node/parts.hpp"
#include "runtime/store/api_keys.hpp"
#include "runtime/store/migrations.hpp"
#include "runtime/store/nodes.hpp"
#include "runtime/store/projects.hpp"
#include "runtime/store/sessions.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

namespace greenroom {

namespace {

constexpr std::size_t log_threads = 2;
constexpr std::size_t log_queue = 65'536; // one request per watcher at most

using shared_connection = std::shared_ptr<std::unique_ptr<store::connection>>;

struct system_config : caf::actor_system_config {
  explicit system_config(bool in_cluster) {
    add_message_types<caf::id_block::greenroom>();
    // Sharing wakes an idle thread at once and burns nothing while there is
    // nothing to do, which stealing does.
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads",
        std::max<std::size_t>(2, std::thread::hardware_concurrency()));
    if (in_cluster)
      load_middleman(*this);
  }
};

shared_connection share(std::unique_ptr<store::connection> db) {
  return std::make_shared<shared_connection::element_type>(std::move(db));
}

// A store that no others are at is this node's, whatever it was called before.
void own_everything(store::connection& db, const config& settings) {
  for (auto& other : store::nodes(db))
    if (other.lease_left > 0)
      throw start_error("the store " + store::store_name(settings.storage.url)
                        + " is in use by node \"" + other.name
                        + "\" of a cluster; give this node another one, or "
                          "stop that node and wait until its lease is over");
  store::own_all_sessions(db, settings.node.name);
}

} // namespace

// What a node says of itself that nobody else has to know.
std::optional<node_record> node::parts::alone() const {
  if (settings.cluster.listen)
    return std::nullopt;
  node_record self;
  self.name = settings.node.name;
  self.incarnation = make_id();
  self.http = to_string(settings.http.listen);
  self.version = version();
  self.labels = settings.cluster.labels;
  self.reachable = true;
  return self;
}

// Begins the lease before anything of this node's is touched.
void node::parts::join(store::connection& db) {
  auto incarnation = make_id();
  try {
    cluster = std::make_unique<node_cluster>(settings, incarnation, *system);
    membership = std::make_unique<node_membership>(
      settings, data_dir, incarnation, cluster->address(),
      to_string(settings.http.listen));
    membership->join(db);
  } catch (const std::runtime_error& e) {
    throw start_error(e.what());
  }
}

void node::parts::start_cluster() {
  context->cluster = membership->start(*system, open_store(settings, data_dir),
                                       open_store(settings, data_dir),
                                       directory, supervisor, context->reader);
  for (auto& part : membership->parts())
    keep("the cluster member", part);
  auto db = share(open_store(settings, data_dir));
  cluster->start({directory, registry, context->cluster, context->reader,
                  [db] { return store::projects(**db); }});
}

void node::parts::make_context() {
  context = std::make_shared<node_context>();
  context->node = settings.node.name;
  context->began_at = now_ms();
  context->lived_until = lived_until;
  if (membership)
    context->gate = membership->gate();
  context->data_dir = data_dir;
  if (settings.sandbox.mode == sandbox_mode::bubblewrap)
    context->home = sandbox::home_inside;
  context->shell = settings.exec.shell;
  context->max_concurrent = settings.exec.max_concurrent;
  context->max_queued = settings.exec.max_queued;
  context->max_output = settings.exec.max_output;
  context->max_lifetime = settings.sessions.max_expiry;
  context->checkpoint_every = settings.sessions.checkpoint_every;
  context->sessions_of_key = settings.limits.key_sessions;
  context->loads = std::make_shared<exec_loads>(exec_loads::limits{
    settings.limits.key_execs, settings.limits.project_execs});
  context->preview_url = [this](const std::string& id, std::uint16_t port) {
    auto& own = settings.preview;
    return preview_url({own.domain, own.public_url, preview_port,
                        own.listen ? own.listen->host : std::string_view{}},
                       id, port);
  };
  context->runners = runners.get();
  context->journals = journals.get();
}

void node::parts::start_store(std::unique_ptr<store::connection> write_to) {
  auto read_from = open_store(settings, data_dir);
  context->store =
    keep("the store's writer",
         system->spawn<caf::detached>(
           store_writer, share(std::move(write_to)), settings.node.name,
           store::is_embedded(settings.storage.url) ? reserve.get() : nullptr,
           settings.cluster.listen.has_value()));
  context->reader = keep("the store's reader",
                         system->spawn<caf::detached>(
                           store_reader, share(std::move(read_from)), alone()));
}

void node::parts::start_workers() {
  auto options = git_settings_of();
  options.warm.is_wanted =
    [db = share(open_store(settings, data_dir))](const std::string& mirror) {
      return std::ranges::any_of(store::projects(**db), [&](const auto& one) {
        return mirror_name(one) == mirror;
      });
    };
  git = std::make_shared<git_service>(std::move(options));
  context->git =
    keep("the git workers",
         system->spawn(git_dispatcher, git, git_limits{}, context->gate));
  context->logs =
    keep("the log readers",
         system->spawn(log_reader, data_dir, log_threads, log_queue));
}

void node::parts::start_sessions(std::vector<project_record> projects) {
  supervisor = keep("the session supervisor",
                    system->spawn(session_supervisor, context, projects,
                                  revival_report{[this](std::size_t left) {
                                    reviving = left;
                                  }}));
  directory =
    keep("the directory", system->spawn(greenroom::directory, context,
                                        supervisor, std::move(projects)));
  context->directory = directory;
  operations = keep("what operators ask",
                    system->spawn(greenroom::operations, context, supervisor));
}

void node::parts::start_registry(std::vector<key_record> stored_keys) {
  std::function<std::vector<key_record>()> read_keys;
  if (cluster)
    read_keys = [db = share(open_store(settings, data_dir))] {
      return store::keys(**db);
    };
  registry = keep("the key registry",
                  system->spawn(key_registry, context->store, keys.get(),
                                std::move(stored_keys), read_keys));
}

void node::parts::start_webhooks() {
  const auto& own = settings.webhooks;
  http::outgoing_sender::options options;
  for (auto& network : own.allow_networks)
    options.allowed.push_back(*parse_network(network));
  for (auto& network : own.allow_networks_of_sessions)
    options.allowed_of_sessions.push_back(*parse_network(network));
  options.ca_file = own.ca_file;
  options.timeout = std::chrono::milliseconds{own.timeout};
  sender = std::make_unique<http::outgoing_sender>(std::move(options));
  deliverer_rules rules;
  // Both are the full ones, see start_actors().
  rules.store = caf::actor_cast<webhook_writer_actor>(context->store);
  rules.reader = caf::actor_cast<webhook_reader_actor>(context->reader);
  if (cluster)
    rules.owner = settings.node.name;
  rules.post = [to = sender.get()](outgoing_request what, auto done) {
    to->post(std::move(what), std::move(done));
  };
  rules.give_up_after = own.give_up_after;
  rules.keep = own.keep;
  rules.max_ended = own.max_deliveries;
  rules.counters = &webhook_counts;
  webhooks = caf::actor_cast<webhooks_actor>(
    keep("the deliverer of webhooks",
         system->spawn(deliverer, context, std::move(rules))));
}

// What needs no other node.
void node::parts::start_own(std::unique_ptr<store::connection> db) {
  auto found = configure_projects(*db, settings, membership != nullptr);
  faults_of_projects.set(std::move(found.faults));
  auto projects = std::move(found.projects);
  if (membership) {
    projects = membership->owned_among(projects);
    membership->configure_later(std::move(found.of_others));
  }
  auto stored_keys = store::keys(*db);
  keys->replace(stored_keys);
  make_context();
  start_store(std::move(db));
  start_workers();
  start_sessions(std::move(projects));
  start_registry(std::move(stored_keys));
}

// Nobody has to wait for a node that is not there.
void node::parts::undo_join() const {
  try {
    membership->undo_join(*open_store(settings, data_dir));
  } catch (const std::exception& e) {
    spdlog::warn("the node's lease runs out by itself: {}", e.what());
  }
}

void node::parts::start_actors() {
  auto write_to = open_store(settings, data_dir);
  store::migrate(*write_to);
  const auto in_cluster = settings.cluster.listen.has_value();
  if (!in_cluster)
    own_everything(*write_to, settings);
  system_settings = std::make_unique<system_config>(in_cluster);
  system = std::make_unique<caf::actor_system>(*system_settings);
  root = system->spawn(node_root, [this] { broken = true; });
  if (in_cluster)
    join(*write_to);
  start_own(std::move(write_to));
  if (cluster)
    start_cluster();
  start_webhooks();
}

} // namespace greenroom
