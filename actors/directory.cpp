#include "actors/directory.hpp"

#include "actors/base/change_in_doubt.hpp"
#include "actors/base/error_boundary.hpp"
#include "actors/project/project.hpp"
#include "messages/errors.hpp"
#include "messages/moving.hpp"
#include "runtime/config/projects.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <utility>

namespace greenroom {

namespace {

using directory_pointer =
  own_directory_actor::stateful_pointer<directory_state>;

caf::error no_such_project() {
  return make_error(errc::not_found, "project not found");
}

project_actor spawn_project(directory_pointer self,
                            const project_record& rules) {
  auto handle =
    self->spawn(project, rules, self->state.context, self->state.supervisor);
  self->monitor(handle);
  return handle;
}

// A project's actor keeps nothing, so a new one takes over as it is.
void project_down(directory_pointer self, const caf::down_msg& down) {
  for (auto& [id, entry] : self->state.projects)
    if (entry.handle && entry.handle.address() == down.source) {
      spdlog::error("the actor of project {} died, starting it anew", id);
      entry.handle = spawn_project(self, entry.rules);
      return;
    }
}

void end_project(directory_pointer self, const std::string& id) {
  if (auto node = self->state.projects.extract(id)) {
    self->demonitor(node.mapped().handle.address());
    self->send_exit(node.mapped().handle, caf::exit_reason::user_shutdown);
  }
}

// -- changes, one after the other ---------------------------------------------

template <class Reply>
using change = std::function<void(caf::typed_response_promise<Reply>)>;

// A change is made of what the one before it left, so it waits for that one.
template <class Reply>
caf::result<Reply> in_turn(directory_pointer self, const std::string& id,
                           change<Reply> what) {
  auto& line = self->state.changes[id];
  if (line.size() >= max_waiting_changes)
    return make_error(errc::overloaded,
                      "too many changes of this project at once, try again");
  auto promise = self->make_response_promise<Reply>();
  line.push_back([what = std::move(what), promise] { what(promise); });
  if (line.size() == 1) {
    auto first = line.front(); // it may be gone before it returns
    first();
  }
  return promise;
}

// Answers the change that is being made, and begins the next.
template <class Promise, class Answer>
void settle(directory_pointer self, const std::string& id, Promise promise,
            Answer answer) {
  promise.deliver(std::move(answer));
  auto line = self->state.changes.find(id);
  line->second.pop_front();
  if (line->second.empty()) {
    self->state.changes.erase(line);
    return;
  }
  auto next = line->second.front();
  next();
}

// -- changes that the store may have made -------------------------------------

// Unless another node has the project by now: its member sees to that.
void ask_again_later(directory_pointer self, const std::string& id,
                     std::chrono::milliseconds pause,
                     const std::function<void()>& ask,
                     const std::function<void()>& give_up) {
  auto later = [self, pause, ask] {
    self->state.to_ask_again.push_back(
      {std::chrono::steady_clock::now() + pause, ask});
    self->delayed_send(self, pause, clock_tick{});
  };
  auto& context = *self->state.context;
  if (!context.cluster) {
    later();
    return;
  }
  self->request(context.cluster, look_up_timeout, find_owner{id, {}})
    .then(
      [later, give_up, own = context.node](const owner_record& owner) {
        if (owner.node.empty() || owner.node == own)
          later();
        else
          give_up();
      },
      [later](const caf::error&) { later(); });
}

// Said once.
std::shared_ptr<change_in_doubt> begin_doubt(directory_pointer self,
                                             const std::string& id,
                                             const std::string& why) {
  spdlog::error("project {}: the store does not say whether a change is made, "
                "it is asked until it does: {}",
                id, why);
  return std::make_shared<change_in_doubt>(self->state.context->overdue);
}

// The writer answers each request, however late, and only its answer tells what
// became of it: refused before, a change might leave a row that this node does
// not serve, or the other way round. So it is waited for; clients have
// deadlines of their own, and /readyz says that the store is late. Where the
// store itself cannot say, the same is asked again until it does. Its writer
// takes one after the other, and made twice a change is as made once.
template <class Reply, class Request>
void ask_store(directory_pointer self, const std::string& id,
               const Request& change, const std::function<void(Reply&)>& made,
               const std::function<void(caf::error&)>& not_made,
               std::shared_ptr<change_in_doubt> doubt = nullptr) {
  self->request(self->state.context->store, caf::infinite, change)
    .then([made, doubt](Reply& reply) { made(reply); },
          [self, id, change, made, not_made, doubt](caf::error& e) {
            auto why = to_refusal(e);
            if (is_last_word(why.code, doubt != nullptr)) {
              not_made(e);
              return;
            }
            auto still = doubt ? doubt : begin_doubt(self, id, why.message);
            ask_again_later(
              self, id, still->next_pause(),
              [self, id, change, made, not_made, still] {
                ask_store<Reply>(self, id, change, made, not_made, still);
              },
              [not_made, e]() mutable { not_made(e); });
          });
}

// A tick comes for each of them, no earlier than it is due but for what clocks
// round.
void ask_again(directory_pointer self) {
  const auto now = std::chrono::steady_clock::now();
  std::vector<directory_state::later> waiting;
  for (auto& one : std::exchange(self->state.to_ask_again, {}))
    if (one.due <= now + change_in_doubt::first_pause / 2)
      one.ask();
    else
      waiting.push_back(std::move(one));
  auto& all = self->state.to_ask_again;
  std::ranges::move(waiting, std::back_inserter(all));
}

// How long others wait for this node, and so how long its commands may run
// without it, is what the project says now: the member is not to wait for its
// next renewal.
void look_at_rules(directory_pointer self) {
  auto& context = *self->state.context;
  if (context.cluster)
    self->send(caf::actor_cast<full_member_actor>(context.cluster),
               owners_changed{context.node});
}

void keep(directory_pointer self, const project_record& rules) {
  auto& entry = self->state.projects[rules.id];
  entry.rules = rules;
  if (entry.handle) {
    self->send(entry.handle, project_changed{rules});
  } else {
    entry.handle = spawn_project(self, rules);
    entry.number = ++self->state.last_number;
  }
}

using project_promise = caf::typed_response_promise<project_record>;

// One that is not new may have been let go of while the store was asked: it is
// another node's by now.
void put(directory_pointer self, project_record rules, const caller& by,
         const project_promise& promise, bool is_new) {
  const auto id = rules.id;
  ask_store<project_record>(
    self, id, put_project{std::move(rules)},
    [self, promise, by, is_new](project_record& stored) {
      if (is_new || self->state.projects.contains(stored.id)) {
        keep(self, stored);
        self->send(self->state.supervisor, project_changed{stored});
      }
      look_at_rules(self);
      spdlog::info("project {} is set by {}", stored.id, to_words(by));
      settle(self, stored.id, promise, stored);
    },
    [self, promise, id](caf::error& e) {
      settle(self, id, promise, std::move(e));
    });
}

void create(directory_pointer self, const create_project& request,
            const project_promise& promise) {
  auto& rules = request.project;
  if (self->state.projects.contains(rules.id))
    settle(self, rules.id, promise,
           make_error(errc::project_exists,
                      "project \"" + rules.id
                        + "\" exists already; PATCH changes it"));
  else
    put(self, rules, request.by, promise, true);
}

caf::result<project_record> create_in_turn(directory_pointer self,
                                           create_project request) {
  auto id = request.project.id;
  return in_turn<project_record>(
    self, id, [self, request = std::move(request)](const auto& promise) {
      create(self, request, promise);
    });
}

void alter(directory_pointer self, const change_project& request,
           const project_promise& promise) {
  auto& id = request.project_id;
  auto found = self->state.projects.find(id);
  if (found == self->state.projects.end()) {
    settle(self, id, promise, no_such_project());
    return;
  }
  project_record rules;
  try {
    rules = changed_project(found->second.rules, request.fields);
  } catch (...) {
    settle(self, id, promise, current_error("changing a project"));
    return;
  }
  put(self, std::move(rules), request.by, promise, false);
}

void drop(directory_pointer self, const delete_project& request,
          const caf::typed_response_promise<done>& promise) {
  auto& id = request.project_id;
  if (!self->state.projects.contains(id)) {
    settle(self, id, promise, no_such_project());
    return;
  }
  ask_store<done>(
    self, id, drop_project{id},
    [self, promise, id, by = request.by](done&) {
      spdlog::info("project {} is deleted by {}", id, to_words(by));
      end_project(self, id);
      self->send(self->state.supervisor, drop_project{id});
      settle(self, id, promise, done{});
    },
    [self, promise, id](caf::error& e) {
      settle(self, id, promise, std::move(e));
    });
}

// -- a cluster's --------------------------------------------------------------

void adopt(directory_pointer self, const project_record& rules) {
  keep(self, rules);
  self->send(self->state.supervisor, adopt_project{rules});
}

caf::result<done> release(directory_pointer self, const release_project& x) {
  end_project(self, x.project_id);
  return self->delegate(self->state.supervisor, x);
}

caf::result<project_actor> find(directory_pointer self,
                                const find_project& request) {
  auto found = self->state.projects.find(request.project_id);
  if (found == self->state.projects.end())
    return no_such_project();
  return found->second.handle;
}

caf::result<session_actor> find_in(directory_pointer self,
                                   find_session& request) {
  auto& project = request.project_id;
  if (!project.empty() && !self->state.projects.contains(project))
    return no_such_project();
  return self->delegate(self->state.supervisor, std::move(request));
}

project_list newest_first(const directory_state& state) {
  project_list result;
  std::vector<const directory_state::kept*> all;
  for (auto& [id, entry] : state.projects)
    all.push_back(&entry);
  std::ranges::sort(all, std::greater{}, &directory_state::kept::number);
  for (auto* entry : all)
    result.projects.push_back(entry->rules);
  return result;
}

caf::result<project_record> rules_of(directory_pointer self,
                                     const get_project& request) {
  auto found = self->state.projects.find(request.project_id);
  if (found == self->state.projects.end())
    return no_such_project();
  return found->second.rules;
}

// -- what lies on this node's disk --------------------------------------------

// What the asker knows may be old, and what is live is in use.
caf::result<done> drop_left(directory_pointer self, const drop_left_work& x) {
  auto promise = self->make_response_promise<done>();
  auto failed = [promise](caf::error& why) mutable {
    promise.deliver(std::move(why));
  };
  self
    ->request(self->state.context->reader, look_up_timeout,
              load_session{x.session_id})
    .then(
      [self, x, promise, failed](const session_record& session) mutable {
        if (is_live(session.status)) {
          promise.deliver(make_error(errc::conflict,
                                     "the session is live: what it has on disk "
                                     "is in use; have it ended first"));
          return;
        }
        spdlog::info("session {}: what its end has kept here is removed by {}",
                     x.session_id, to_words(x.by));
        self
          ->request(self->state.context->git, git_timeout,
                    remove_checkout{x.session_id})
          .then([promise](done) mutable { promise.deliver(done{}); }, failed);
      },
      failed);
  return promise;
}

} // namespace

directory_state::~directory_state() {
  for (auto& [id, entry] : projects)
    if (entry.handle)
      caf::anon_send_exit(entry.handle, caf::exit_reason::user_shutdown);
}

own_directory_actor::behavior_type
directory(directory_pointer self, context_ptr context,
          session_supervisor_full supervisor,
          std::vector<project_record> projects) {
  auto& state = self->state;
  state.context = std::move(context);
  state.supervisor = std::move(supervisor);
  self->set_down_handler(
    [self](caf::down_msg& down) { project_down(self, down); });
  for (auto& rules : projects)
    state.projects[rules.id] = {rules, spawn_project(self, rules),
                                ++state.last_number};
  return {
    [self](const find_project& x) { return find(self, x); },
    [self](find_session& x) { return find_in(self, x); },
    [self](list_projects) { return newest_first(self->state); },
    [self](const get_project& x) { return rules_of(self, x); },
    [self](create_project& request) {
      return create_in_turn(self, std::move(request));
    },
    [self](change_project& request) {
      auto id = request.project_id;
      return in_turn<project_record>(
        self, id, [self, request = std::move(request)](const auto& promise) {
          alter(self, request, promise);
        });
    },
    [self](const delete_project& request) {
      return in_turn<done>(
        self, request.project_id,
        [self, request](const auto& promise) { drop(self, request, promise); });
    },
    [self](const adopt_project& x) { adopt(self, x.project); },
    [self](const release_project& x) { return release(self, x); },
    [self](place_project& x) {
      x.project.placement = std::move(x.placement);
      return create_in_turn(self, {std::move(x.project), std::move(x.by)});
    },
    [self](const drop_left_work& x) { return drop_left(self, x); },
    [self](measure_left_work& x) {
      return self->delegate(self->state.context->git,
                            measure_kept{{}, std::move(x.session_ids)});
    },
    [self](const clock_tick&) { ask_again(self); },
  };
}

} // namespace greenroom
