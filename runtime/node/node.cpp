#include "runtime/node/node.hpp"

#include "actors/retention/retention.hpp"
#include "actors/retention/size_retention.hpp"
#include "runtime/base/watchdog.hpp"
#include "runtime/node/logging.hpp"
#include "runtime/node/open_store.hpp"
#include "runtime/node/parts.hpp"
#include "runtime/node/reload.hpp"
#include "runtime/node/unread_projects.hpp"

#include <caf/scoped_actor.hpp>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace greenroom {

namespace {

// How long an end in order may take. What is cut off then is taken up again at
// the next start, as after a crash.
constexpr std::chrono::seconds stop_timeout{20};

} // namespace

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
  if (membership)
    membership->end_lost_sessions();
  ready = true;
}

void node::parts::start_retention() {
  auto retention = system->spawn(greenroom::retention, context, supervisor,
                                 retention_rules{settings.sessions.keep_ended,
                                                 settings.audit.keep,
                                                 settings.audit.max_entries});
  keep("retention", retention);
  keep("the retention by size",
       system->spawn<caf::detached>(size_retention, context, retention,
                                    settings.sessions.keep_output));
  keep("the health watch",
       system->spawn<caf::detached>(
         watch_health, context->store,
         std::function<std::string()>{[this] { return reserve->check(); }},
         &health));
  if (!faults_of_projects.unread().empty())
    watch_unread();
}

void node::parts::watch_unread() {
  using box = std::unique_ptr<store::connection>;
  unread_projects_parts to;
  to.db = std::make_shared<box>(open_store(settings, data_dir));
  to.directory = directory;
  to.faults = &faults_of_projects;
  to.configured = settings.projects;
  if (membership)
    to.node = settings.node.name;
  keep("the look at projects that could not be read",
       system->spawn<caf::detached>(watch_unread_projects, std::move(to)));
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
  if (membership && !has_started)
    undo_join();
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
    parts_->start_retention();
    parts_->has_started = true;
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
           ? std::filesystem::path{}
           : std::filesystem::path{parts_->admin.source};
}

void node::reload(config settings) {
  const reload_parts to{*parts_->system,
                        parts_->context->directory,
                        parts_->registry,
                        parts_->operations,
                        *parts_->keys,
                        parts_->faults_of_projects,
                        parts_->settings.node.name,
                        parts_->data_dir};
  renew_admin_key(to, settings);
  if (apply_changes(to, parts_->settings, settings))
    parts_->settings.projects = std::move(settings.projects);
}

bool node::broken() const {
  return parts_->broken;
}

} // namespace greenroom
