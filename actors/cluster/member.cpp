#include "actors/cluster/member.hpp"

#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace greenroom {

namespace {

using member_pointer = cluster_member_core::stateful_pointer<member_state>;

// The finest difference of ages that matters, as a part of the lease.
constexpr millis ticks_in_a_lease = 48;

// The connection's thread may stand still for long, with the store. What comes
// of a question is needed however late.
constexpr std::chrono::minutes forever{24 * 60};

/// A list is worth no longer a wait.
constexpr std::chrono::seconds list_timeout{20};

void perform(member_pointer self, const cluster::effects& all);

// Whether the node has all that it needs to be one of the others.
void look_at_arrival(member_pointer self) {
  auto& state = self->state;
  auto& m = state.machine;
  auto& arrival = *state.options.arrival;
  if (arrival.is_over() || m.at != cluster::standing::owning)
    return;
  const auto now = steady_ms();
  if (state.came_at == 0)
    state.came_at = now;
  auto missing =
    cluster::missing_for(m.node, m.nodes, state.linked, state.to_take_up);
  if (!missing.empty() && now - state.came_at < m.lease) {
    arrival.wait_for(std::move(missing));
    return;
  }
  for (auto& one : missing)
    spdlog::warn("it is not waited for any longer: {}", one);
  arrival.end();
}

// It is not opened again before what was lost meanwhile is let go.
void move_gate(member_pointer self) {
  auto& m = self->state.machine;
  auto& gate = *self->state.options.gate;
  if (self->state.releasing > 0 && !gate.is_open())
    return;
  gate.open_until(m.at == cluster::standing::owning ? m.kept_since + m.lease / 2
                                                    : 0);
}

void hear(member_pointer self, const cluster::answered& answer) {
  auto effects = apply(self->state.machine, answer);
  if (answer.result == cluster::outcome::kept)
    self->state.owners = answer.owners;
  // Others were quicker with the rest, or have it by now.
  if (answer.result == cluster::outcome::kept) {
    auto& owned = self->state.machine.owned;
    std::erase_if(self->state.to_take_up,
                  [&](const auto& id) { return !owned.contains(id); });
  }
  perform(self, effects);
  move_gate(self);
  look_at_arrival(self);
}

void ask(member_pointer self, const std::string& incarnation, bool joins) {
  const auto begun = steady_ms();
  self
    ->request(self->state.options.store, forever,
              keep_lease{incarnation, joins, self->state.options.load()})
    .then(
      [self, begun](kept_lease& x) {
        auto delay =
          cluster::delay_of(self->state.options.node, x.owners, x.rules);
        hear(self, {steady_ms(), begun,
                    x.is_kept ? cluster::outcome::kept : cluster::outcome::lost,
                    std::move(x.nodes), std::move(x.owners), std::move(x.rules),
                    delay});
      },
      [self, begun](const caf::error& e) {
        spdlog::error("the lease cannot be renewed: {}", to_refusal(e).message);
        hear(self, {steady_ms(), begun, cluster::outcome::unknown, {}, {}});
      });
}

// The store is asked for the settings, which another node may have changed.
void adopt(member_pointer self, const owner_record& owner) {
  self->state.to_take_up.insert(owner.project_id);
  self
    ->request(self->state.options.store, forever, get_project{owner.project_id})
    .then(
      [self, owner](project_record& project) {
        auto& owned = self->state.machine.owned;
        auto now = owned.find(owner.project_id);
        if (now == owned.end() || now->second != owner.epoch)
          return; // gone meanwhile
        self->state.to_take_up.erase(owner.project_id);
        spdlog::info("project {} is this node's, epoch {}", project.id,
                     owner.epoch);
        self->state.options.adopt(std::move(project));
        self->state.options.end_lost_sessions(owner.project_id);
        look_at_arrival(self);
      },
      [self, owner](const caf::error& e) {
        // Seen again with the next renewal.
        spdlog::error("project {} cannot be adopted yet: {}", owner.project_id,
                      to_refusal(e).message);
        self->state.machine.owned.erase(owner.project_id);
      });
}

void release(member_pointer self, const std::string& project_id) {
  auto over = [self] {
    --self->state.releasing;
    move_gate(self);
  };
  ++self->state.releasing;
  self
    ->request(self->state.options.releaser, caf::infinite,
              release_project{project_id})
    .then([over](done) { over(); },
          [over, project_id](const caf::error& e) {
            spdlog::error("project {} is let go without an answer: {}",
                          project_id, to_refusal(e).message);
            over();
          });
}

void announce(member_pointer self, const std::vector<node_record>& nodes) {
  for (auto& node : nodes)
    spdlog::info("node {} ({}) is {}", node.name, node.incarnation,
                 to_string(node.state));
  for (auto& watcher : self->state.watchers)
    self->send(watcher, node_list{nodes});
}

caf::result<node_list> list(member_pointer self) {
  auto promise = self->make_response_promise<node_list>();
  self->request(self->state.options.look_ups, list_timeout, list_nodes{})
    .then(
      [self, promise](node_list& all) mutable {
        for (auto& node : all.nodes) {
          auto link = self->state.linked.find(node.name);
          node.reachable =
            node.name == self->state.options.node
            || (link != self->state.linked.end() && link->second);
        }
        promise.deliver(std::move(all));
      },
      [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
  return promise;
}

struct performer {
  member_pointer self;

  void operator()(const cluster::join& x) const {
    ask(self, x.incarnation, true);
  }
  void operator()(const cluster::renew& x) const {
    ask(self, x.incarnation, false);
  }
  void operator()(const cluster::take_over& x) const {
    for (auto& one : x.projects) {
      self->state.to_take_up.insert(one.project_id);
      spdlog::info("project {} is free (was {}'s), taking it", one.project_id,
                   one.node.empty() ? "nobody" : one.node);
    }
    self
      ->request(self->state.options.store, forever,
                take_projects{self->state.machine.incarnation, x.projects})
      .then([](done) {},
            [](const caf::error& e) {
              spdlog::error("projects cannot be taken over: {}",
                            to_refusal(e).message);
            });
  }
  void operator()(const cluster::fall_silent&) const {
    spdlog::error("the lease is half over and not renewed: nothing is "
                  "acknowledged until it is");
  }
  void operator()(const cluster::speak_again&) const {
    spdlog::info("this node has its lease");
  }
  void operator()(const cluster::stop_sandboxes&) const {
    spdlog::error("the lease is nearly over: what runs in sessions is ended");
    self->state.options.stop_runners();
  }
  void operator()(const cluster::adopt& x) const {
    adopt(self, x.project);
  }
  void operator()(const cluster::release& x) const {
    spdlog::warn("project {} is another node's now", x.project_id);
    release(self, x.project_id);
  }
  void operator()(const cluster::announce& x) const {
    announce(self, x.nodes);
  }
};

void perform(member_pointer self, const cluster::effects& all) {
  for (auto& one : all)
    std::visit(performer{self}, one);
}

// Who has been given something learns of it by its own look into the store. Of
// those that watch, the links pass it on.
void look_now(member_pointer self, const owners_changed& x) {
  apply(self->state.machine, cluster::hinted{steady_ms()});
  if (x.node != self->state.options.node)
    for (auto& watcher : self->state.watchers)
      self->send(caf::actor_cast<full_links_actor>(watcher), x);
}

} // namespace

cluster_member_core::behavior_type cluster_member(member_pointer self,
                                                  member_options options) {
  self->state.machine.node = options.node;
  self->state.machine.lease = options.lease;
  for (auto& one : options.owned)
    self->state.machine.owned[one.project_id] = one.epoch;
  self->state.options = std::move(options);
  auto& own = self->state.options;
  if (!own.look_ups)
    own.look_ups = own.store;
  self->state.drainer = self->spawn<caf::linked>(
    drainer,
    drainer_options{own.node, own.store, own.packer,
                    full_member_actor{cluster_member_core{self}}, own.reviews});
  self->set_down_handler([self](const caf::down_msg& gone) {
    std::erase_if(self->state.watchers, [&](auto& watcher) {
      return watcher.address() == gone.source;
    });
  });
  self->send(self, clock_tick{});
  return {
    [self](list_nodes) { return list(self); },
    [self](const find_owner& x) {
      return self->delegate(self->state.options.look_ups, x);
    },
    [self](const watch_nodes& x) {
      self->monitor(x.watcher);
      self->state.watchers.push_back(x.watcher);
      if (!self->state.machine.nodes.empty())
        self->send(x.watcher, node_list{self->state.machine.nodes});
    },
    [self](const link_changed& x) {
      self->state.linked[x.node] = x.up;
      look_at_arrival(self);
      apply(self->state.machine, cluster::hinted{steady_ms()});
    },
    [self](const owners_changed& x) { look_now(self, x); },
    [self](const drain_node& x) {
      return self->delegate(self->state.drainer, x);
    },
    [self](const resume_node& x) {
      return self->delegate(self->state.drainer, x);
    },
    [self](const load_session& x) {
      return self->delegate(self->state.options.look_ups, x);
    },
    [self](list_owners) {
      return owner_list{self->state.owners, {}};
    },
    [self](const clock_tick&) {
      auto& m = self->state.machine;
      self->delayed_send(self,
                         std::chrono::milliseconds{
                           std::max<millis>(m.lease / ticks_in_a_lease, 10)},
                         clock_tick{});
      auto effects =
        apply(m, cluster::ticked{steady_ms(), self->state.options.incarnation});
      move_gate(self);
      perform(self, effects);
      look_at_arrival(self);
    },
  };
}

} // namespace greenroom
