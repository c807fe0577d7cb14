#include "tests/actors/cluster/simulation/clients.hpp"

#include "messages/errors.hpp"
#include "messages/project.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <utility>

namespace greenroom::simulation {

namespace {

const caller ada{"key", "Ada"};
constexpr std::chrono::seconds answer_timeout{30};

constexpr auto ignore = [](const caf::error&) {};

} // namespace

void clients::act() {
  auto& luck = stage_.luck;
  if (!luck.one_in(4))
    return;
  if (sessions_.empty() || luck.one_in(8))
    return create();
  auto what = sessions_[luck.below(sessions_.size())];
  switch (luck.below(24)) {
    case 0:
      return finish(what);
    case 1:
      return cancel(what);
    case 2:
      return send_create(what); // once more
    case 3:
    case 4:
    case 5:
    case 6:
      return follow(what);
    case 7:
      return luck.one_in(6) ? drain() : hint();
    case 8:
      return upset(what);
    case 9:
    case 10:
      return ask_session(what, [](auto* self, const session_actor& session) {
        self->request(session, answer_timeout, extend_session{3'600'000, ada})
          .then([](const session_view&) {}, ignore);
      });
    default:
      return run_exec(what);
  }
}

// -- the way there ------------------------------------------------------------

// Mostly that of the owner; when all is well always.
int clients::node_for(const std::string& project) {
  auto owner = stage_.store.projects().at(project).owner;
  if (!owner.empty() && (stage_.calm || !stage_.luck.one_in(6)))
    for (std::size_t i = 0; i < stage_.machines.size(); ++i)
      if (stage_.machines[i].name == owner)
        return static_cast<int>(i);
  return static_cast<int>(stage_.luck.below(stage_.machines.size()));
}

void clients::send(int node, process::request what) {
  stage_.links.send(
    the_clients, node,
    [this, node, what = std::move(what)] {
      if (auto* there = at_(node))
        there->serve(what);
    },
    {}, true);
}

void clients::ask_session(const known_session& what, handler then) {
  auto node = node_for(what.project);
  send(node, [this, node, what, then](caf::event_based_actor* self) {
    auto* there = at_(node);
    if (there == nullptr)
      return;
    auto refused = [this, id = what.id,
                    is_there = stage_.rules.was_promised(what.id)](
                     const caf::error& why) {
      stage_.rules.require(!is_there || to_refusal(why).code != errc::not_found
                             || to_refusal(why).message != "session not found",
                           "session ", id, " is said not to be there");
    };
    self
      ->request(there->directory(), answer_timeout,
                find_session{what.project, what.id})
      .then([self, then](session_actor& found) { then(self, found); }, refused);
  });
}

// -- what they ask ------------------------------------------------------------

void clients::create() {
  auto& luck = stage_.luck;
  if (sessions_.size() >= 12)
    return;
  known_session what;
  auto number = std::to_string(sessions_.size());
  what.id = std::string(20 - number.size(), 's') + number;
  what.project = luck.one_in(2) ? "p" : "q";
  what.branch = "b" + std::to_string(luck.below(3));
  sessions_.push_back(what);
  send_create(what);
}

void clients::create_again() {
  for (auto& what : sessions_)
    if (!stage_.rules.was_promised(what.id))
      send_create(what);
}

void clients::send_create(const known_session& what) {
  auto node = node_for(what.project);
  send(node, [this, node, what](caf::event_based_actor* self) {
    auto* there = at_(node);
    if (there == nullptr)
      return;
    create_session request;
    request.session_id = what.id;
    request.by = ada;
    request.branch = what.branch;
    request.expires_in = 24 * 3'600'000;
    self
      ->request(there->directory(), answer_timeout, find_project{what.project})
      .then(
        [this, self, request](project_actor& project) {
          self->request(project, answer_timeout, request)
            .then(
              [this](const created_session& x) {
                stage_.rules.told_created(x.session);
              },
              ignore);
        },
        ignore);
  });
}

void clients::run_exec(const known_session& what) {
  start_exec request{ada, {}, stage_.luck.one_in(2) ? 1'000 : 0};
  auto again = last_exec_ > 0 && stage_.luck.one_in(5);
  request.spec.exec_id =
    "e" + std::to_string(again ? last_exec_ : ++last_exec_);
  request.spec.command = "true";
  ask_session(what, [this, request,
                     id = what.id](auto* self, const session_actor& session) {
    self->request(session, answer_timeout, request)
      .then([this, id, exec_id = request.spec.exec_id](
              const exec_view&) { stage_.rules.told_exec(id, exec_id); },
            ignore);
  });
}

void clients::cancel(const known_session& what) {
  cancel_exec request{"e" + std::to_string(last_exec_), ada};
  ask_session(what, [request](auto* self, const session_actor& session) {
    self->request(session, answer_timeout, request)
      .then([](const exec_view&) {}, ignore);
  });
}

void clients::finish(const known_session& what) {
  auto keeps = stage_.luck.one_in(2);
  ask_session(what, [this, keeps, id = what.id](auto* self,
                                                const session_actor& session) {
    if (keeps) {
      checkin_session request;
      request.by = ada;
      request.skip_review = true;
      request.repeat = true;
      self->request(session, answer_timeout, request)
        .then([this, id](const checkin_reply&) { stage_.rules.told_over(id); },
              ignore);
    } else {
      self->request(session, answer_timeout, terminate_session{ada, true})
        .then(
          [this, id](const terminate_reply&) { stage_.rules.told_over(id); },
          ignore);
    }
  });
}

void clients::upset(const known_session& what) {
  if (stage_.calm || !stage_.luck.one_in(6))
    return;
  ask_session(what, [](auto* self, const session_actor& session) {
    self->send(session, crash_session{});
  });
}

void clients::drain() {
  auto node = static_cast<int>(stage_.luck.below(stage_.machines.size()));
  auto resume = stage_.luck.one_in(2);
  send(node, [this, node, resume](caf::event_based_actor* self) {
    auto* there = at_(node);
    if (there == nullptr)
      return;
    if (resume)
      self->request(there->member(), answer_timeout, resume_node{ada})
        .then([](const drain_plan&) {}, ignore);
    else
      self
        ->request(there->member(), answer_timeout,
                  drain_node{false, 2'000, ada})
        .then([](const drain_plan&) {}, ignore);
  });
}

// A node hears of another one.
void clients::hint() {
  auto count = stage_.machines.size();
  auto from = static_cast<int>(stage_.luck.below(count));
  auto to = static_cast<int>(stage_.luck.below(count));
  auto up = stage_.luck.one_in(2);
  stage_.links.send(
    from, to,
    [this, from, to, up] {
      if (auto* there = at_(to))
        caf::anon_send(
          there->member(),
          link_changed{stage_.machines[static_cast<std::size_t>(from)].name,
                       "some", up});
    },
    {}, true);
}

// -- events -------------------------------------------------------------------

// Whoever lags reads the log of the node that it asks.
void clients::read_log(int node, follower& who) const {
  auto& disks = stage_.machines[static_cast<std::size_t>(node)].disks;
  auto found = disks.find(who.session_id);
  if (found == disks.end())
    return;
  for (auto& entry : found->second.timeline)
    if (entry.id.seq > who.seq)
      who.seq = entry.id.seq;
}

void clients::follow(const known_session& what) {
  auto& luck = stage_.luck;
  if (followers_.size() < 4)
    followers_.push_back(std::make_shared<follower>(follower{what.id, 0, 0}));
  auto who = followers_[luck.below(followers_.size())];
  auto found =
    std::ranges::find(sessions_, who->session_id, &known_session::id);
  auto node = node_for(found->project);
  auto turn = ++who->turn;
  send(node, [this, node, turn, who,
              project = found->project](caf::event_based_actor* self) {
    auto* there = at_(node);
    if (there == nullptr || turn != who->turn)
      return;
    auto watcher = self->spawn(
      [](caf::event_based_actor*, stage* world, std::shared_ptr<follower> whose,
         int in_turn) -> caf::behavior {
        return {[=](const event_batch& batch) {
          if (whose->turn != in_turn || batch.after != whose->seq)
            return;
          for (auto& slice : batch.slices) {
            world->rules.sent(whose->session_id, whose->seq, slice.seq);
            whose->seq = slice.seq;
          }
        }};
      },
      &stage_, who, turn);
    auto handle = caf::actor_cast<watcher_actor>(watcher);
    self
      ->request(there->directory(), answer_timeout,
                find_session{project, who->session_id})
      .then(
        [this, self, who, handle, node](session_actor& session) {
          self
            ->request(session, answer_timeout, watch_session{handle, who->seq})
            .then(
              [this, who, node](const watch_reply& reply) {
                if (reply.state == watch_state::behind)
                  read_log(node, *who);
              },
              ignore);
        },
        ignore);
  });
}

// -- in the end ---------------------------------------------------------------

void clients::ask_again() {
  missing_->clear();
  auto answered = [missing = missing_](const std::string& what) {
    return [missing, what](const auto&) { std::erase(*missing, what); };
  };
  for (auto& [id, row] : stage_.store.sessions()) {
    if (!is_live(row.record.status))
      continue;
    auto owner =
      std::ranges::find(stage_.machines, row.record.node, &machine::name);
    if (owner == stage_.machines.end())
      continue;
    auto node = static_cast<int>(owner - stage_.machines.begin());
    std::vector<std::string> execs;
    // Of those that ran on another node no more is promised than a note.
    auto told = stage_.rules.execs().find(id);
    if (row.home_epoch == 1 && told != stage_.rules.execs().end())
      execs.assign(told->second.begin(), told->second.end());
    auto name = "session " + id;
    missing_->push_back(name);
    for (auto& exec_id : execs)
      missing_->push_back("exec " + exec_id + " of " + name);
    at_(node)->serve(
      [this, node, answered, execs, name, id,
       project = row.record.project_id](caf::event_based_actor* self) {
        self
          ->request(at_(node)->directory(), answer_timeout,
                    find_session{project, id})
          .then(
            [self, answered, execs, name](session_actor& session) {
              self->request(session, answer_timeout, get_session{})
                .then([got = answered(name)](const session_view& x) { got(x); },
                      ignore);
              for (auto& exec_id : execs)
                self->request(session, answer_timeout, get_exec{exec_id})
                  .then([got = answered("exec " + exec_id + " of " + name)](
                          const exec_view& x) { got(x); },
                        ignore);
            },
            ignore);
      });
  }
}

std::string clients::unanswered() const {
  return missing_->empty() ? std::string{}
                           : missing_->front() + " has no answer";
}

} // namespace greenroom::simulation
