#include "tests/actors/cluster/linked_node.hpp"

#include "actors/cluster/basp.hpp"
#include "messages/errors.hpp"
#include "messages/type_ids.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/stateful_actor.hpp>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>

namespace greenroom::test {

namespace {

struct cluster_config : caf::actor_system_config {
  cluster_config() {
    add_message_types<caf::id_block::greenroom>();
    set("scheduler.max-threads", 2);
    set("scheduler.policy", caf::atom("sharing"));
    load_middleman(*this);
  }
};

caf::error no_such() {
  return make_error(errc::not_found, "there is none");
}

struct stub_state {
  std::vector<watcher_actor> watchers;
};

caf::behavior stub_session(caf::stateful_actor<stub_state>* self,
                           std::string node,
                           std::shared_ptr<linked_node::hosting> home) {
  auto count = [self, home] {
    std::lock_guard lock{home->mutex};
    home->watchers = static_cast<int>(self->state.watchers.size());
  };
  return {
    [node](get_session) { return session_view{shared_text{node}}; },
    [self, count](const watch_session& x) {
      std::erase(self->state.watchers, x.watcher);
      self->state.watchers.push_back(x.watcher);
      count();
      return watch_reply{watch_state::hot, event_id{}};
    },
    [self, count](const unwatch_session& x) {
      std::erase(self->state.watchers, x.watcher);
      count();
    },
    [self, home](const clock_tick& x) {
      event_batch batch;
      batch.last = static_cast<std::uint64_t>(x.now);
      batch.text =
        shared_text{std::to_string(x.now) + std::string(home->padding, ' ')};
      for (auto& watcher : self->state.watchers)
        self->send(watcher, batch);
    },
    [home](const taken_events& x) {
      std::lock_guard lock{home->mutex};
      home->taken.push_back(x.seq);
    },
    [self](crash_session) { self->quit(caf::exit_reason::kill); },
  };
}

// Keeps nothing; notes what it hears of others.
shared_registry_actor::behavior_type
stub_registry(shared_registry_actor::pointer,
              std::shared_ptr<linked_node::hosting> home) {
  return {
    [](const create_key& x) {
      key_created result;
      result.key.id = x.key_id;
      return result;
    },
    [](list_keys) { return key_list{}; },
    [](const revoke_key& x) -> caf::result<done> {
      if (x.key_id == "stuck")
        return make_error(errc::unavailable, "the store does not take that");
      if (x.key_id == "unknown")
        return make_error(errc::not_found, "key not found");
      return done{};
    },
    [](const join_edge&) {},
    [home](const share_keys& x) {
      std::lock_guard lock{home->mutex};
      home->shared.push_back(x.revoked);
      return done{};
    },
  };
}

// Answers with its node's name; `change_project` with how much it was sent.
using stub_directory = directory_actor::extend<
  caf::replies_to<place_project>::with<project_record>,
  caf::replies_to<drop_left_work>::with<done>,
  caf::replies_to<measure_left_work>::with<kept_files_list>>;

stub_directory::behavior_type
named_directory(stub_directory::pointer self, std::string node,
                std::shared_ptr<linked_node::hosting> home) {
  project_record own;
  own.id = node;
  return {
    // It has taken up none.
    [](const find_project&) -> caf::result<project_actor> {
      return make_error(errc::not_found, "project not found");
    },
    [home](const find_session& x) -> caf::result<session_actor> {
      std::lock_guard lock{home->mutex};
      auto found = home->sessions.find(x.session_id);
      if (found == home->sessions.end())
        return no_such();
      return found->second;
    },
    [own](list_projects) { return project_list{{own}}; },
    [own](const get_project&) { return own; },
    [node](const create_project& x) {
      auto made = x.project;
      made.repo = "made by " + node;
      return made;
    },
    [home](const place_project& x) {
      std::lock_guard lock{home->mutex};
      home->placed[x.project.id] = x.placement;
      return x.project;
    },
    [own, home](const change_project& x) {
      std::lock_guard lock{home->mutex};
      ++home->changes;
      auto result = own;
      result.repo = std::to_string(x.fields.size());
      return result;
    },
    [self](const delete_project&) {
      self->quit();
      return done{};
    },
    [home](const drop_left_work& x) {
      std::lock_guard lock{home->mutex};
      home->dropped.push_back(x.session_id + " by " + x.by.key_id);
      return done{};
    },
    [](const measure_left_work& x) {
      kept_files_list result;
      for (auto& id : x.session_ids)
        result.sessions.push_back({id, 7});
      return result;
    },
  };
}

} // namespace

linked_node::linked_node(cluster_certificates& certificates,
                         const std::string& name)
  : name_(name), settings_(std::make_unique<cluster_config>()),
    system_(std::make_unique<caf::actor_system>(*settings_)) {
  static std::atomic<int> lives{0};
  incarnation_ = "life" + std::to_string(++lives);
  peer::mesh_options options;
  options.node = name;
  options.cluster = "test";
  options.incarnation = incarnation_;
  options.actor_system = to_string(system_->node());
  options.host = "127.0.0.1";
  options.tls = certificates.of(name);
  options.first_pause = std::chrono::milliseconds{10};
  options.longest_pause = std::chrono::milliseconds{100};
  auto silent = std::make_shared<spdlog::logger>(
    "mesh", std::make_shared<spdlog::sinks::null_sink_mt>());
  mesh_ = std::make_shared<peer::mesh>(std::move(options), silent);
  directory_ = system_->spawn(named_directory, name, hosted_);
  registry_ = system_->spawn(stub_registry, hosted_);
  links_ = system_->spawn(
    links, links_options{name, incarnation_, directory_, registry_, {}, mesh_});
  port_ = mesh_->listen();
  mesh_->start(tell_links(links_, name, {}));
}

linked_node::~linked_node() {
  mesh_->stop();
  for (auto& [id, session] : hosted_->sessions)
    caf::anon_send_exit(session, caf::exit_reason::user_shutdown);
  hosted_->sessions.clear();
  caf::anon_send_exit(links_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(directory_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(registry_, caf::exit_reason::user_shutdown);
  links_ = links_core{};
  directory_ = directory_actor{};
  registry_ = shared_registry_actor{};
}

void linked_node::host(const std::string& session_id) {
  std::lock_guard lock{hosted_->mutex};
  hosted_->sessions[session_id] = caf::actor_cast<session_actor>(
    system_->spawn(stub_session, name_, hosted_));
}

void linked_node::drop(const std::string& session_id) {
  std::lock_guard lock{hosted_->mutex};
  hosted_->sessions.erase(session_id);
}

std::vector<std::string> linked_node::shared() {
  std::lock_guard lock{hosted_->mutex};
  return hosted_->shared;
}

int linked_node::watchers() {
  std::lock_guard lock{hosted_->mutex};
  return hosted_->watchers;
}

node_record linked_node::record() const {
  node_record result;
  result.name = name_;
  result.incarnation = incarnation_;
  result.address = "127.0.0.1:" + std::to_string(port_);
  return result;
}

void linked_node::meet(const std::vector<linked_node*>& nodes) {
  node_list all;
  for (auto* node : nodes)
    all.nodes.push_back(node->record());
  caf::anon_send(links_, std::move(all));
}

std::optional<greenroom::linked_node> linked_node::find(const std::string& node,
                                                        std::string* why) {
  caf::scoped_actor self{*system_};
  std::optional<greenroom::linked_node> result;
  self->request(links_, timeout, find_node{node})
    .receive([&](greenroom::linked_node& found) { result = std::move(found); },
             [&](const caf::error& e) {
               if (why != nullptr)
                 *why = to_refusal(e).message;
             });
  return result;
}

greenroom::linked_node linked_node::await(const std::string& node) {
  std::optional<greenroom::linked_node> result;
  test::await("node " + node, [&] {
    result = find(node);
    return result.has_value();
  });
  return *result;
}

void link_all(const std::vector<linked_node*>& nodes) {
  for (auto* node : nodes)
    node->meet(nodes);
  for (auto* node : nodes)
    for (auto* other : nodes)
      if (node != other)
        node->await(other->record().name);
}

} // namespace greenroom::test
