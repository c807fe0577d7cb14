#include "runtime/node/node.hpp"

#include "actors/cluster/basp.hpp"
#include "actors/directory.hpp"
#include "actors/disk/log_reader.hpp"
#include "actors/git/dispatcher.hpp"
#include "actors/health.hpp"
#include "actors/key_registry.hpp"
#include "actors/operations.hpp"
#include "actors/retention.hpp"
#include "actors/runner_link/link.hpp"
#include "actors/session/journal/writers.hpp"
#include "actors/store/reader.hpp"
#include "actors/store/writer.hpp"
#include "actors/supervisor.hpp"
#include "actors/webhooks/deliverer.hpp"
#include "http/edge/peers.hpp"
#include "http/outgoing/sender.hpp"
#include "http/server/server.hpp"
#include "messages/ids.hpp"
#include "messages/type_ids.hpp"
#include "runtime/api_json/preview_address.hpp"
#include "runtime/api_json/usage.hpp"
#include "runtime/auth/admin_key.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/ip_networks.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/base/version.hpp"
#include "runtime/base/watchdog.hpp"
#include "runtime/disk/disk_reserve.hpp"
#include "runtime/disk/fsync_queue.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/metrics/page.hpp"
#include "runtime/metrics/process.hpp"
#include "runtime/metrics/session_meter.hpp"
#include "runtime/node/cluster.hpp"
#include "runtime/node/logging.hpp"
#include "runtime/node/membership.hpp"
#include "runtime/node/preflight.hpp"
#include "runtime/node/reload.hpp"
#include "runtime/node/root.hpp"
#include "runtime/sandbox/host_capabilities.hpp"
#include "runtime/store/api_keys.hpp"
#include "runtime/store/connection.hpp"
#include "runtime/store/migrations.hpp"
#include "runtime/store/nodes.hpp"
#include "runtime/store/projects.hpp"
#include "runtime/store/sessions.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

// How long an end in order may take. What is cut off then is taken up again at
// the next start, as after a crash.
constexpr std::chrono::seconds stop_timeout{20};

constexpr std::size_t git_threads = 4;
constexpr std::size_t git_queue = 256;
constexpr std::size_t log_threads = 2;
constexpr std::size_t log_queue = 65'536; // one request per watcher at most

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

fs::path prepare_data_dir(const config& settings) {
  auto dir = fs::absolute(settings.node.data_dir).lexically_normal();
  try {
    ensure_dir(dir);
    ensure_dir(dir / "repos");
    ensure_dir(sessions_dir(dir));
  } catch (const std::system_error& e) {
    throw start_error("node.data_dir " + dir.string() + " cannot be used ("
                      + e.code().message()
                      + "); make it writable or name another with --set "
                        "node.data_dir=DIR");
  }
  return dir;
}

// Two nodes on one directory would ruin it.
unique_fd lock_data_dir(const fs::path& dir) {
  unique_fd lock{
    ::open((dir / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    throw start_error("another node is running on " + dir.string()
                      + "; stop it, or give this one a directory of its own "
                        "with --set node.data_dir=DIR");
  return lock;
}

void refuse_what_is_not_built(const config& settings) {
  if (auto faults = not_served(settings); !faults.empty())
    throw start_error(faults.front());
}

// Every connection and every exec takes descriptors.
void raise_descriptor_limit() {
  ::rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// The web console's files: beside the program, or where packages put them.
fs::path console_dir() {
  auto bin = fs::read_symlink("/proc/self/exe").parent_path();
  auto beside = bin / "console";
  return fs::exists(beside) ? beside : bin / "../share/greenroom/console";
}

fs::path program(const char* name) {
  try {
    return program_beside(name);
  } catch (const std::runtime_error& e) {
    throw start_error(e.what());
  }
}

std::shared_ptr<const sandbox::host> find_host(const config& settings) {
  try {
    auto result = std::make_shared<sandbox::host>(
      sandbox::check_host(settings, program("greenroom-runner")));
    for (auto& limit : result->not_in_force)
      spdlog::warn("{}", limit);
    return result;
  } catch (const start_error&) {
    throw;
  } catch (const std::exception& e) {
    throw start_error(e.what());
  }
}

// What an earlier run kept back makes room for what a start has to write.
void make_room(disk_reserve& reserve) {
  auto problem = reserve.check();
  if (!problem.empty() && !reserve.spend())
    spdlog::error("{}, and no reserve is left to start with", problem);
}

std::unique_ptr<store::connection> open_store(const config& settings,
                                              const fs::path& data_dir) {
  auto& url = settings.storage.url;
  auto fail = [&](const std::string& why) {
    return start_error("the store cannot be opened: " + why);
  };
  try {
    return std::make_unique<store::connection>(url, data_dir,
                                               settings.storage.sync);
  } catch (const store::unavailable& e) {
    throw fail(e.detail() + "; see storage.url, it names "
               + store::store_name(url));
  } catch (const std::exception& e) {
    throw fail(e.what());
  }
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

// What the file says of a project holds; what was made through the API stays.
std::vector<project_record> merge_projects(store::connection& db,
                                           const config& settings) {
  for (auto& project : settings.projects) {
    auto taken = store::configure_project(db, project);
    if (taken.repo != project.repo)
      spdlog::error(
        "project {} keeps its repo {} for now: it has live sessions "
        "or open reviews of it; when they have ended, start the "
        "server again",
        project.id, git::without_credentials(taken.repo));
  }
  return store::projects(db);
}

} // namespace

// In the order in which they start; destroyed in reverse.
struct node::parts {
  config settings;
  fs::path data_dir;
  unique_fd lock;
  admin_key admin;
  std::unique_ptr<key_ring> keys;
  std::atomic<bool> ready{false};
  std::atomic<std::uint16_t> preview_port{0};
  std::atomic<std::size_t> reviving{0}; // sessions that have not begun yet
  std::atomic<bool> broken{false};
  node_health health;

  std::shared_ptr<const sandbox::host> host; // what sessions are shut into
  std::shared_ptr<git_service> git;
  std::unique_ptr<disk_reserve> reserve;
  std::unique_ptr<fsync_queue> syncer;
  std::unique_ptr<journal::writers> journals;
  std::unique_ptr<runner_link> runners;
  std::unique_ptr<session_meter> meter;
  std::unique_ptr<http::outgoing_sender> sender; // of webhooks
  webhook_counters webhook_counts;

  std::unique_ptr<system_config> system_settings;
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
  std::optional<node_record> alone() const;
  void join(store::connection& db, std::vector<project_record>& projects);
  void start_cluster();
  void start_webhooks();
  std::vector<std::string> reasons_not_ready() const;
  std::vector<std::string> warnings() const;
  void add_figures(metrics_page& page) const;
  std::string usage_of(const std::string& session_id) const;
  void start_http();
  void reconcile_sessions();
  void start_janitor();
  void stop();
  void stop_actors();
};

void node::parts::open() {
  refuse_what_is_not_built(settings);
  raise_descriptor_limit();
  data_dir = prepare_data_dir(settings);
  lock = lock_data_dir(data_dir);
  reserve = std::make_unique<disk_reserve>(data_dir);
  make_room(*reserve);
  host = find_host(settings);
  if (settings.preview.listen)
    preview_port = settings.preview.listen->port;
  admin = load_admin_key(settings.auth.admin_key_file, data_dir);
  keys = std::make_unique<key_ring>(admin.secret);
  syncer = std::make_unique<fsync_queue>();
  journals = std::make_unique<journal::writers>(data_dir, syncer.get());
  runner_link_options link{program("greenroom-runner"), data_dir,
                           settings.exec.kill_grace};
  link.plan = [on = host, dir = data_dir](const std::string& id,
                                          const std::string& mirror) {
    return sandbox::make_plan(*on, paths_of(dir, id, mirror));
  };
  runners = std::make_unique<runner_link>(std::move(link));
  meter = std::make_unique<session_meter>(session_meter::sources{
    data_dir, [this](const std::string& id) { return runners->process_of(id); },
    [this](const std::string& id) { return host->groups.directories(id); }});
}

git_settings node::parts::git_settings_of() const {
  auto helper = program("greenroom-git");
  return {data_dir,
          {host, helper},
          {settings.git.credentials, helper, data_dir / "known_hosts"}};
}

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

// Begins the lease before anything of this node's is touched; what others own
// is taken off `projects`.
void node::parts::join(store::connection& db,
                       std::vector<project_record>& projects) {
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
  projects = membership->owned_among(projects);
}

void node::parts::start_cluster() {
  context->cluster = membership->start(*system, open_store(settings, data_dir),
                                       directory, supervisor);
  for (auto& part : membership->parts())
    keep("the cluster member", part);
  auto db = std::make_shared<std::unique_ptr<store::connection>>(
    open_store(settings, data_dir));
  cluster->start({directory, registry, context->cluster,
                  [db] { return store::projects(**db); }});
}

void node::parts::start_actors() {
  using connection_ptr = std::shared_ptr<std::unique_ptr<store::connection>>;
  auto write_to = open_store(settings, data_dir);
  store::migrate(*write_to);
  if (!settings.cluster.listen)
    own_everything(*write_to, settings);
  system_settings =
    std::make_unique<system_config>(settings.cluster.listen.has_value());
  system = std::make_unique<caf::actor_system>(*system_settings);
  root = system->spawn(node_root, [this] { broken = true; });
  auto projects = merge_projects(*write_to, settings);
  if (settings.cluster.listen)
    join(*write_to, projects);
  auto stored_keys = store::keys(*write_to);
  keys->replace(stored_keys);
  auto read_from = open_store(settings, data_dir);

  context = std::make_shared<node_context>();
  context->node = settings.node.name;
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
    return preview_url({own.domain, own.public_url, preview_port}, id, port);
  };
  context->runners = runners.get();
  context->journals = journals.get();
  context->store =
    keep("the store's writer",
         system->spawn<caf::detached>(
           store_writer,
           std::make_shared<connection_ptr::element_type>(std::move(write_to)),
           settings.node.name,
           store::is_embedded(settings.storage.url) ? reserve.get() : nullptr,
           settings.cluster.listen.has_value()));
  context->reader =
    keep("the store's reader",
         system->spawn<caf::detached>(
           store_reader,
           std::make_shared<connection_ptr::element_type>(std::move(read_from)),
           alone()));
  git = std::make_shared<git_service>(git_settings_of());
  context->git = keep("the git workers", system->spawn(git_dispatcher, git,
                                                       git_threads, git_queue));
  context->logs =
    keep("the log readers",
         system->spawn(log_reader, data_dir, log_threads, log_queue));
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
  std::function<std::vector<key_record>()> read_keys;
  if (cluster)
    read_keys = [db = std::make_shared<std::unique_ptr<store::connection>>(
                   open_store(settings, data_dir))] {
      return store::keys(**db);
    };
  registry = keep("the key registry",
                  system->spawn(key_registry, context->store, keys.get(),
                                std::move(stored_keys), read_keys));
  if (cluster)
    start_cluster();
  start_webhooks();
}

void node::parts::start_webhooks() {
  const auto& own = settings.webhooks;
  http::outgoing_sender::options options;
  for (auto& network : own.allow_networks)
    options.allowed.push_back(*parse_network(network));
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

// Why it cannot serve, for readyz.
std::vector<std::string> node::parts::reasons_not_ready() const {
  if (!ready)
    return {"sessions are being brought back"};
  if (membership && !membership->gate()->is_open())
    return {"the node does not hold its lease in the store, so that others may "
            "own its projects; it goes on once the store answers"};
  if (auto left = reviving.load(); left != 0)
    return {"sessions are being brought back, " + std::to_string(left)
            + " are still to come"};
  return health.problems();
}

// What it serves without, for readyz.
std::vector<std::string> node::parts::warnings() const {
  auto result = host->not_in_force;
  auto disk = syncer->look();
  if (disk.lag > fsync_queue::late)
    result.push_back("the disk is slow: what was written "
                     + std::to_string(disk.lag.count())
                     + " ms ago is not safe from a power cut yet");
  if (!disk.problem.empty())
    result.push_back("the disk does not keep what is written: " + disk.problem);
  if (auto lag = journals->lag(); lag > journal::writers::late)
    result.push_back("the disk is slow: what a session has to write or read "
                     "has waited for "
                     + std::to_string(lag.count()) + " ms");
  for (auto& late : context->overdue->warnings())
    result.push_back(std::move(late));
  return result;
}

// What is neither an actor's nor the HTTP side's, for /metrics.
void node::parts::add_figures(metrics_page& page) const {
  auto seconds = [](std::chrono::milliseconds time) {
    return std::chrono::duration<double>(time).count();
  };
  page.gauge("greenroom_ready", "1 where /readyz says that the node can serve.",
             reasons_not_ready().empty() ? 1 : 0);
  page.gauge("greenroom_runners", "Runners of sessions that are connected.",
             static_cast<double>(runners->connected()));
  page.gauge("greenroom_sessions_reviving",
             "Sessions that have not come back since the node started.",
             static_cast<double>(reviving.load()));
  constexpr std::string_view lag = "greenroom_lag_seconds";
  constexpr std::string_view help =
    "How long writes wait: of the store, of sessions' journals, and for the "
    "disk to have what journals wrote.";
  page.gauge(lag, help, seconds(health.store_lag()), {{"of", "store"}});
  page.gauge(lag, help, seconds(journals->lag()), {{"of", "journal"}});
  page.gauge(lag, help, seconds(syncer->look().lag), {{"of", "fsync"}});
  add_counters(page, webhook_counts);
  add_process(page);
}

// For …/stats. A limit that is not in force is none.
std::string node::parts::usage_of(const std::string& session_id) const {
  const auto& rules = host->config;
  const auto& groups = host->groups;
  usage_limits limits;
  if (groups.limits_processes())
    limits.processes = rules.pids;
  if (groups.limits_memory())
    limits.memory = rules.memory;
  if (rules.mode == sandbox_mode::bubblewrap) {
    limits.disk = rules.disk;
    limits.files = rules.files;
  }
  return usage_json(session_id, meter->measure(session_id), limits).dump();
}

void node::parts::start_http() {
  auto options = http::options_from(settings);
  options.console_dir = console_dir();
  server = std::make_unique<http::server>(
    options, http::server_parts{
               *system,
               *keys,
               cluster ? cluster->directory() : directory_actor{directory},
               cluster ? cluster->registry() : key_registry_actor{registry},
               context->store,
               [this] { return reasons_not_ready(); },
               [this] { return warnings(); },
               spdlog::default_logger(),
               host,
               [this](std::uint16_t port) { preview_port = port; },
               git,
               context->git,
               cluster ? cluster->peers() : nullptr,
               cluster ? node_lister_actor{context->cluster}
                       : node_lister_actor{context->reader},
               settings.node.name,
               operations,
               context->counters,
               [this](metrics_page& page) { add_figures(page); },
               [this](const std::string& id) { return usage_of(id); },
               webhooks});
  try {
    server->start();
  } catch (const std::runtime_error& e) {
    throw start_error(e.what());
  }
  if (cluster)
    cluster->serve(server->port(), server->preview_port());
}

void node::parts::reconcile_sessions() {
  caf::scoped_actor self{*system};
  std::optional<caf::error> failure;
  self->request(supervisor, std::chrono::minutes{3}, reconcile{})
    .receive(
      [](const reconciled& done) {
        spdlog::info("{} live sessions are being brought back", done.sessions);
      },
      [&](caf::error& e) { failure = std::move(e); });
  if (failure)
    throw start_error("the sessions cannot be brought back: "
                      + to_refusal(*failure).message);
  ready = true;
}

void node::parts::start_janitor() {
  keep("the janitor",
       system->spawn(retention, context, supervisor,
                     retention_rules{settings.sessions.keep_ended,
                                     settings.audit.keep,
                                     settings.audit.max_entries}));
  keep("the health watch",
       system->spawn<caf::detached>(
         watch_health, context->store,
         std::function<std::string()>{[this] { return reserve->check(); }},
         &health));
}

void node::parts::stop_actors() {
  // Links first: what is unsent to a peer that stands still would hold up the
  // middleman.
  if (cluster)
    cluster->stop();
  {
    caf::scoped_actor self{*system};
    self->send_exit(root, caf::exit_reason::user_shutdown);
    self->wait_for(root);
    for (auto one = to_stop.rbegin(); one != to_stop.rend(); ++one) {
      stopping = one->what;
      self->send_exit(one->part, caf::exit_reason::user_shutdown);
      self->wait_for(one->part);
    }
  }
  to_stop.clear();
  root = node_root_actor{};
  supervisor = session_supervisor_full{};
  directory = own_directory_actor{};
  registry = shared_registry_actor{};
  operations = operations_actor{};
  webhooks = webhooks_actor{};
  cluster.reset();
  membership.reset();
  context.reset();
  stopping = "git commands, or reads of logs, that are under way";
  system.reset();
}

void node::parts::stop() {
  ready = false;
  stopping = "requests that are being answered";
  watchdog dog{stop_timeout, [this] {
                 spdlog::critical("still waiting for {} after {} s: the "
                                  "process ends without them",
                                  stopping.load(), stop_timeout.count());
                 drain_logging();
                 ::_exit(exit_unfinished);
               }};
  if (server)
    server->stop();
  server.reset();
  if (sender)
    sender->stop();
  if (system)
    stop_actors();
  stopping = "runners to be let go of";
  runners.reset();
  stopping = "the disk";
  journals.reset();
  syncer.reset();
}

node::node(config settings) : parts_(std::make_unique<parts>()) {
  parts_->settings = std::move(settings);
  try {
    parts_->open();
    parts_->start_actors();
    // Nobody is served before every session has its one actor.
    parts_->reconcile_sessions();
    parts_->start_http();
    parts_->start_janitor();
  } catch (...) {
    parts_->stop();
    throw;
  }
}

node::~node() {
  parts_->stop();
}

std::uint16_t node::port() const {
  return parts_->server->port();
}

std::filesystem::path node::admin_key_file() const {
  return parts_->admin.source == "GREENROOM_ADMIN_KEY"
           ? fs::path{}
           : fs::path{parts_->admin.source};
}

void node::reload(config settings) {
  if (apply_changes(*parts_->system, parts_->context->directory,
                    parts_->settings, settings))
    parts_->settings.projects = std::move(settings.projects);
}

bool node::broken() const {
  return parts_->broken;
}

} // namespace greenroom
