#include "actors/cluster/drainer.hpp"

#include "actors/base/context.hpp"
#include "actors/cluster/machine/drain.hpp"
#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace greenroom {

namespace {

using drainer_pointer = drainer_actor::stateful_pointer<drainer_state>;
using steady = std::chrono::steady_clock;

// -- how things stand ---------------------------------------------------------

struct survey {
  std::uint64_t number = 0; // of its look; 0: of no look that settles doubts
  std::vector<node_record> nodes;
  std::vector<owner_record> owned;                             // by this node
  std::map<std::string, placement_rules> rules;                // by project
  std::map<std::string, std::vector<moving_session>> sessions; // by project

  std::map<std::string, std::string>
  destinations(const std::string& node) const {
    std::vector<cluster::project_load> loads;
    // Where one may go whose rules cannot be read, nobody knows: it stays.
    for (auto& [project, rule] : rules)
      if (auto all = sessions.find(project); all != sessions.end())
        loads.push_back({project, all->second.size(), rule});
    return cluster::destinations(node, nodes, std::move(loads));
  }
};

using survey_ptr = std::shared_ptr<survey>;
using on_survey = std::function<void(const survey_ptr&)>;
using on_failure = std::function<void(const caf::error&)>;

// A review runs for a session that is over: the project waits for it as for one
// that lives.
void add_reviews(drainer_pointer self, const std::string& project,
                 std::vector<moving_session> sessions,
                 const std::function<void(std::vector<moving_session>)>& then) {
  auto& reviews = self->state.options.reviews;
  if (!reviews)
    return then(std::move(sessions));
  query_reviews running{project, {"running", 0, {}}};
  self->request(reviews, look_up_timeout, std::move(running))
    .then(
      [sessions, then](const review_page& page) {
        auto all = sessions;
        for (const auto& one : page.reviews)
          all.push_back({one.session_id, 0, "review " + one.id + " runs"});
        then(std::move(all));
      },
      [sessions, then](const caf::error& e) {
        auto all = sessions;
        all.push_back(
          {"", 0,
           "whether a review runs is not known: " + to_refusal(e).message});
        then(std::move(all));
      });
}

void look_at_sessions_of(drainer_pointer self, const survey_ptr& found,
                         const on_survey& then) {
  if (found->owned.empty())
    return then(found);
  auto left = std::make_shared<std::size_t>(found->owned.size());
  for (auto& project : found->owned) {
    auto got = [found, left, then,
                id = project.project_id](std::vector<moving_session> sessions) {
      if (!found->rules.contains(id))
        sessions.push_back({"", 0,
                            "this version of the program cannot read its "
                            "settings, which say where it may go"});
      found->sessions[id] = std::move(sessions);
      if (--*left == 0)
        then(found);
    };
    self
      ->request(self->state.options.packer, look_up_timeout,
                look_at_sessions{project.project_id})
      .then(
        [self, got, id = project.project_id](project_sessions& x) {
          add_reviews(self, id, std::move(x.sessions), got);
        },
        [got](const caf::error& e) {
          got(
            {{"", 0, "its sessions do not answer: " + to_refusal(e).message}});
        });
  }
}

void look(drainer_pointer self, on_survey then, const on_failure& failed) {
  auto found = std::make_shared<survey>();
  auto add_owners = [self, found, then](owner_list& all) {
    for (auto& one : all.owners)
      if (one.node == self->state.options.node)
        found->owned.push_back(std::move(one));
    found->rules = std::move(all.rules);
    look_at_sessions_of(self, found, then);
  };
  self->request(self->state.options.member, store_timeout, list_nodes{})
    .then(
      [self, found, add_owners, failed](node_list& all) {
        found->nodes = std::move(all.nodes);
        self->request(self->state.options.store, store_timeout, list_owners{})
          .then(add_owners, failed);
      },
      failed);
}

drain_plan plan_of(const drainer_state& state, const survey& found) {
  drain_plan result;
  result.state = state.draining ? node_state::draining : node_state::ready;
  result.deadline = state.deadline;
  auto to = found.destinations(state.options.node);
  for (auto& [project, sessions] : found.sessions) {
    result.projects.push_back({project, to[project], sessions});
    auto& one = result.projects.back();
    if (one.to.empty() && found.rules.contains(project))
      one.sessions.push_back(
        {"", 0,
         "no other node can take it now: none is ready that has its "
         "node_labels and can read its settings"});
  }
  return result;
}

// -- a project goes -----------------------------------------------------------

std::string reason_of(const drainer_state& state) {
  return "node " + state.options.node + " was drained by "
         + to_words(state.drained_by) + ", and the deadline for that was over";
}

void unpack(drainer_pointer self, const std::string& project,
            const std::string& why) {
  spdlog::warn("project {} stays for now: {}", project, why);
  self->state.on_their_way.erase(project);
  self->state.not_before[project] = steady::now() + drain_pause;
  self->send(self->state.options.packer, unpack_project{project});
}

void gone(drainer_pointer self, const std::string& project,
          const std::string& to) {
  spdlog::info("project {} is node {}'s now", project, to);
  self->state.on_their_way.erase(project);
  self->send(self->state.options.member, owners_changed{to});
}

// What was looked up before does not say whether the store did.
void doubt(drainer_pointer self, const std::string& project) {
  auto& way = self->state.on_their_way.at(project);
  way.in_doubt = true;
  way.doubted_at = self->state.looks;
}

void give(drainer_pointer self, const std::string& project) {
  auto& way = self->state.on_their_way.at(project);
  way.given = true;
  owner_record mine{project, self->state.options.node, {}, way.epoch};
  self
    ->request(self->state.options.store, store_timeout,
              give_project{std::move(mine), way.to})
    .then(
      [self, project, to = way.to](const given_project& x) {
        if (x.given)
          gone(self, project, to);
        else // or an earlier try did, and was not heard of
          doubt(self, project);
      },
      [self, project](const caf::error& e) {
        spdlog::error("whether project {} is given away is not known yet: {}",
                      project, to_refusal(e).message);
        doubt(self, project);
      });
}

// One that waits is enough to say why.
std::string first_of(const std::vector<moving_session>& waiting) {
  auto& one = waiting.front();
  return "session " + one.id + ": " + one.waits_for;
}

void pack(drainer_pointer self, const owner_record& project,
          const std::string& to, bool at_once) {
  auto& state = self->state;
  auto& id = project.project_id;
  spdlog::info("project {} goes to node {}{}", id, to,
               at_once ? ", whatever runs in it" : "");
  state.on_their_way[id] = {.epoch = project.epoch, .to = to};
  self
    ->request(state.options.packer, git_timeout,
              pack_project{id, at_once, reason_of(state)})
    .then(
      [self, id](const project_sessions& waiting) {
        if (!self->state.draining || self->state.on_their_way.at(id).stays)
          unpack(self, id, "the node is not drained any more");
        else if (!waiting.sessions.empty())
          unpack(self, id, first_of(waiting.sessions));
        else
          give(self, id);
      },
      [self, id](const caf::error& e) {
        unpack(self, id, to_refusal(e).message);
      });
}

// -- from time to time --------------------------------------------------------

// What the store did not say of those that it was to give away.
void settle_doubts(drainer_pointer self, const survey& found) {
  auto way = self->state.on_their_way; // it changes
  for (auto& [id, one] : way) {
    if (!one.in_doubt || found.number <= one.doubted_at)
      continue;
    auto mine = std::ranges::find(found.owned, id, &owner_record::project_id);
    if (mine != found.owned.end() && mine->epoch == one.epoch)
      unpack(self, id, "the store did not give it away");
    else
      gone(self, id, one.to);
  }
}

void go_on(drainer_pointer self, const survey& found) {
  auto& state = self->state;
  settle_doubts(self, found);
  if (!state.draining)
    return;
  if (found.owned.empty()) {
    if (!std::exchange(state.told_done, true))
      spdlog::info("the node has no project any more, and may be stopped");
    return;
  }
  auto to = found.destinations(state.options.node);
  auto late = state.due && steady::now() >= *state.due;
  for (auto& project : found.owned) {
    auto& id = project.project_id;
    if (state.on_their_way.size() >= max_moving)
      return;
    if (to[id].empty() || state.on_their_way.contains(id)
        || steady::now() < state.not_before[id])
      continue;
    auto how = cluster::packing_of(found.sessions.at(id), late);
    if (how != cluster::packing::wait)
      pack(self, project, to[id], how == cluster::packing::at_once);
  }
}

bool has_doubts(const drainer_state& state) {
  return std::ranges::any_of(state.on_their_way, [](const auto& entry) {
    return entry.second.in_doubt;
  });
}

void tick(drainer_pointer self) {
  auto& state = self->state;
  self->delayed_send(self, drain_period, clock_tick{});
  if ((!state.draining && !has_doubts(state))
      || std::exchange(state.looking, true))
    return;
  look(
    self,
    [self, number = ++state.looks](const survey_ptr& found) {
      self->state.looking = false;
      found->number = number;
      go_on(self, *found);
    },
    [self](const caf::error& e) {
      self->state.looking = false;
      spdlog::error("the node cannot go on giving its projects away: {}",
                    to_refusal(e).message);
    });
}

// -- what is asked ------------------------------------------------------------

using plan_promise = caf::typed_response_promise<drain_plan>;

on_failure refusing(plan_promise promise) {
  return [promise](const caf::error& e) mutable { promise.deliver(e); };
}

void begin(drainer_pointer self, const drain_node& x, const survey_ptr& found,
           plan_promise promise) {
  self
    ->request(self->state.options.store, store_timeout,
              declare_state{node_state::draining})
    .then(
      [self, x, found, promise](done) mutable {
        auto& state = self->state;
        state.draining = true;
        state.drained_by = x.by;
        state.told_done = false;
        state.due.reset();
        state.deadline = 0;
        if (x.deadline > 0) {
          state.due = steady::now() + std::chrono::milliseconds{x.deadline};
          state.deadline = now_ms() + x.deadline;
        }
        spdlog::warn("the node gives away its {} projects, as asked by {}",
                     found->owned.size(), to_words(x.by));
        self->send(state.options.member, owners_changed{state.options.node});
        promise.deliver(plan_of(state, *found));
      },
      refusing(promise));
}

caf::result<drain_plan> drain(drainer_pointer self, const drain_node& x) {
  auto promise = self->make_response_promise<drain_plan>();
  look(
    self,
    [self, x, promise](const survey_ptr& found) mutable {
      auto& node = self->state.options.node;
      auto others = std::ranges::any_of(found->nodes, [&](const auto& one) {
        return one.name != node && cluster::can_take(one);
      });
      if (!others)
        promise.deliver(make_error(
          errc::conflict, "no other node is ready to take what node " + node
                            + " has; start another one, or wait until one is "
                              "ready again"));
      else if (x.dry_run)
        promise.deliver(plan_of(self->state, *found));
      else
        begin(self, x, found, promise);
    },
    refusing(promise));
  return promise;
}

// Sessions whose work is still being saved need not wait for that.
void keep_packed(drainer_pointer self) {
  for (auto& [id, one] : self->state.on_their_way)
    if (!one.given && !std::exchange(one.stays, true))
      self->send(self->state.options.packer, unpack_project{id});
}

caf::result<drain_plan> resume(drainer_pointer self, const resume_node& x) {
  auto promise = self->make_response_promise<drain_plan>();
  self
    ->request(self->state.options.store, store_timeout,
              declare_state{node_state::ready})
    .then(
      [self, promise, by = x.by](done) mutable {
        auto& state = self->state;
        if (std::exchange(state.draining, false))
          spdlog::info("the node keeps what it has, as asked by {}",
                       to_words(by));
        state.due.reset();
        state.deadline = 0;
        keep_packed(self);
        self->send(state.options.member, owners_changed{state.options.node});
        promise.deliver(drain_plan{});
      },
      refusing(promise));
  return promise;
}

} // namespace

drainer_actor::behavior_type drainer(drainer_pointer self,
                                     drainer_options options) {
  self->state.options = std::move(options);
  self->delayed_send(self, drain_period, clock_tick{});
  return {
    [self](const drain_node& x) { return drain(self, x); },
    [self](const resume_node& x) { return resume(self, x); },
    [self](const clock_tick&) { tick(self); },
  };
}

} // namespace greenroom
