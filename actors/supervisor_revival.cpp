// Children of the session supervisor: spawned, revived after a crash, brought
// back when a node starts.
#include "actors/supervisor_parts.hpp"

#include "messages/errors.hpp"
#include "messages/upkeep.hpp"

#include <caf/actor_cast.hpp>
#include <caf/sec.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom::supervisor {

namespace {

constexpr std::chrono::milliseconds resource_pause{250};

void begun(pointer self, const std::string& id) {
  auto& state = self->state;
  if (state.not_begun.erase(id) == 0)
    return;
  if (state.not_begun.empty())
    spdlog::info("all live sessions are back");
  if (state.report)
    state.report(state.not_begun.size());
}

void revive_more(pointer self);

// A session answers once it has begun. One that crashes meanwhile comes here
// again with its next actor.
void await_begin(pointer self, const std::string& id,
                 const session_actor& handle) {
  ++self->state.reviving;
  self->request(handle, actor_timeout, get_session{})
    .then(
      [self, id](const session_view&) {
        --self->state.reviving;
        begun(self, id);
        revive_more(self);
      },
      [self, id, handle](const caf::error& e) {
        --self->state.reviving;
        if (e == caf::sec::request_timeout)
          await_begin(self, id, handle);
        else
          revive_more(self);
      });
}

// A few at a time: of each the whole timeline is read.
void revive_more(pointer self) {
  auto& state = self->state;
  while (state.reviving < max_reviving && !state.to_revive.empty()) {
    session_args birth;
    birth.record = std::move(state.to_revive.front());
    state.to_revive.pop_front();
    auto found = state.children.find(birth.record.id);
    if (found != state.children.end() && !found->second.handle)
      recover_child(self, found->second, std::move(birth));
  }
}

void forget(pointer self, const std::string& id, const caf::error& why) {
  auto& state = self->state;
  begun(self, id);
  auto found = state.children.find(id);
  if (found == state.children.end())
    return;
  set_deadline(state, id, found->second, 0);
  for (auto& promise : found->second.waiting)
    promise.deliver(why);
  state.children.erase(found);
}

} // namespace

caf::error no_such_session() {
  return make_error(errc::not_found, "session not found");
}

void set_deadline(supervisor_state& state, const std::string& id, child& entry,
                  unix_ms at) {
  if (entry.deadline != 0)
    state.deadlines.erase({entry.deadline, id});
  entry.deadline = at;
  if (at != 0)
    state.deadlines.emplace(at, id);
}

session_actor spawn_child(pointer self, child& entry, session_args birth) {
  auto id = birth.record.id;
  entry.project_id = birth.record.project_id;
  if (auto found = self->state.projects.find(entry.project_id);
      found != self->state.projects.end())
    birth.project = found->second;
  birth.supervisor =
    caf::actor_cast<session_supervisor_actor>(session_supervisor_full{self});
  // What it had is saved, or else the project is about to be told to stay.
  birth.leaving = self->state.packed.contains(entry.project_id);
  birth.turns = self->state.turns;
  auto core = self->spawn(session_body, self->state.context, std::move(birth));
  self->monitor(core);
  self->state.ids[core.address()] = id;
  entry.handle = caf::actor_cast<session_actor>(core);
  entry.reviving = false;
  for (auto& promise : entry.waiting)
    promise.deliver(entry.handle);
  entry.waiting.clear();
  if (self->state.not_begun.contains(id))
    await_begin(self, id, entry.handle);
  return entry.handle;
}

namespace {

// Meanwhile the session may have gone with its project, and come back.
bool is_current(pointer self, const std::shared_ptr<session_args>& birth) {
  auto& all = self->state.recovering;
  auto found = all.find(birth->record.id);
  return found != all.end() && found->second == birth;
}

// What is made with a session is on disk within seconds; so where its directory
// is not there then, that was somebody's doing. What has just come has had none
// here: the node is alone by now at what was a cluster's store.
bool had_files(const node_context& context, const session_record& record,
               std::uint64_t home_epoch) {
  constexpr millis on_disk_after = 60'000;
  if (context.cluster || record.epoch == home_epoch
      || (record.status != session_status::active
          && record.status != session_status::checking_in))
    return false; // it has another node's, or yet to be made
  return record.created_at >= context.began_at
         || record.created_at + on_disk_after < context.lived_until;
}

// By the session's journal writer: what its last actor had asked for is done
// then.
void read_files(pointer self, std::shared_ptr<session_args> birth,
                std::vector<session_event> events, std::uint64_t home_epoch) {
  if (!is_current(self, birth))
    return;
  auto& context = *self->state.context;
  auto& record = birth->record;
  birth->channel = context.journals->open(record.id);
  birth->channel->on_results(
    [me = caf::weak_actor_ptr{self->ctrl()}, id = record.id] {
      if (auto there = me.lock())
        caf::anon_send(caf::actor_cast<session_supervisor_full>(there),
                       session_recovered{id});
    });
  journal::open request{
    record, true, session::limits{}.max_finished, std::move(events), {}};
  request.at_any_price = !birth->give_up.empty();
  if (record.ended_at == 0 && context.preview_url)
    request.preview_url = context.preview_url(record.id, record.preview_port);
  request.roams = context.cluster != nullptr;
  request.had_files = had_files(context, record, home_epoch);
  request.home_epoch = home_epoch;
  context.journals->post(record.id, birth->channel, std::move(request));
}

// Another node may have had it, whose files are not here, or may have had it
// since.
template <class F>
void read_notes(pointer self, std::shared_ptr<session_args> birth,
                std::vector<session_event> events, F failed) {
  auto& reader = self->state.context->reader;
  auto homes = caf::actor_cast<homes_actor>(reader);
  auto notes = caf::actor_cast<noted_execs_actor>(reader);
  auto found = [self, birth, events = std::move(events), notes,
                failed](const session_home& home) mutable {
    if (!self->state.context->cluster)
      return read_files(self, birth, std::move(events), home.epoch);
    self->request(notes, look_up_timeout, load_notes{birth->record.id})
      .then(
        [self, birth, home,
         events = std::move(events)](exec_notes& known) mutable {
          birth->noted = std::move(known.execs);
          read_files(self, birth, std::move(events), home.epoch);
        },
        failed);
  };
  self->request(homes, look_up_timeout, load_home{birth->record.id})
    .then(std::move(found), failed);
}

} // namespace

void recover_child(pointer self, child& entry, session_args birth) {
  auto& state = self->state;
  auto args = std::make_shared<session_args>(std::move(birth));
  auto& record = args->record;
  entry.project_id = record.project_id;
  entry.reviving = true;
  if (!std::exchange(state.recovering[record.id], args))
    ++state.reviving;
  state.turns->set_busy(true);
  auto failed = [self, args](caf::error& e) {
    if (!is_current(self, args))
      return;
    auto& id = args->record.id;
    self->state.recovering.erase(id);
    self->state.turns->set_busy(!self->state.recovering.empty());
    --self->state.reviving;
    spdlog::error("session {}: its outbox cannot be read yet: {}", id,
                  to_refusal(e).message);
    if (is_live(args->record.status))
      self->delayed_send(self, std::chrono::seconds{1}, revive_session{id});
    else
      forget(self, id, e);
    revive_more(self);
  };
  self->request(state.context->reader, look_up_timeout, load_outbox{record.id})
    .then(
      [self, args, failed](outbox& found) {
        read_notes(self, args, std::move(found.events), failed);
      },
      failed);
}

void child_recovered(pointer self, const std::string& id) {
  auto& state = self->state;
  auto known = state.recovering.find(id);
  if (known == state.recovering.end() || !known->second->channel)
    return;
  auto args = known->second;
  auto& birth = *args;
  auto results = birth.channel->take();
  if (results.empty())
    return; // what was read is of one before
  state.recovering.erase(known);
  state.turns->set_busy(!state.recovering.empty());
  --state.reviving;
  for (auto& result : results)
    if (auto* opened = std::get_if<journal::opened>(&result))
      birth.found = std::make_shared<journal::opened>(std::move(*opened));
  auto found = state.children.find(id);
  if (found != state.children.end() && !found->second.handle)
    spawn_child(self, found->second, std::move(birth));
  revive_more(self);
}

void stop_reviving(pointer self, const std::string& project_id,
                   const caf::error& why) {
  auto& state = self->state;
  std::erase_if(state.to_revive, [&](const session_record& record) {
    return record.project_id == project_id;
  });
  std::vector<std::string> left;
  for (auto& [id, entry] : state.children)
    if (entry.project_id == project_id && !entry.handle)
      left.push_back(id);
  for (auto& id : left) {
    state.reviving -= state.recovering.erase(id);
    forget(self, id, why);
  }
  state.turns->set_busy(!state.recovering.empty());
  revive_more(self);
}

namespace {

// The store does not give it to this node: there is none, or with its project
// it is another node's already, which this one has yet to hear.
void forget_untaken(pointer self, const std::string& id) {
  auto over = [self, id](const caf::error& why) {
    auto& state = self->state;
    auto found = state.children.find(id);
    if (found != state.children.end() && !found->second.handle
        && !state.recovering.contains(id))
      forget(self, id, why);
  };
  self->request(self->state.context->reader, look_up_timeout, load_session{id})
    .then([over](const session_record&) { over(moved_away()); },
          [over](const caf::error& e) { over(e); });
}

} // namespace

void revive(pointer self, const std::string& id) {
  self->state.children[id].reviving = true;
  auto retry = [self, id](const caf::error& e) {
    spdlog::error("session {} cannot be revived yet: {}", id,
                  to_refusal(e).message);
    self->delayed_send(self, std::chrono::seconds{1}, revive_session{id});
  };
  self->request(self->state.context->store, store_timeout, take_session{id})
    .then(
      [self, id](session_record& record) {
        auto found = self->state.children.find(id);
        if (found == self->state.children.end())
          return;
        session_args birth;
        birth.record = std::move(record);
        auto crashes = found->second.crashes.size();
        if (crashes > crash_limit) {
          begun(self, id); // the node does not wait for what may never end
          birth.give_up = "the session's actor crashed "
                          + std::to_string(crashes) + " times within a minute";
        }
        recover_child(self, found->second, std::move(birth));
        spdlog::info("session {} revived after crash {}", id, crashes);
      },
      [self, id, retry](caf::error& e) {
        if (to_refusal(e).code == errc::not_found)
          forget_untaken(self, id);
        else
          retry(e);
      });
}

void child_down(pointer self, const caf::down_msg& down) {
  auto known = self->state.ids.find(down.source);
  if (known == self->state.ids.end())
    return;
  auto id = std::move(known->second);
  self->state.ids.erase(known);
  auto found = self->state.children.find(id);
  if (found == self->state.children.end())
    return;
  auto& entry = found->second;
  if (!entry.handle || entry.handle.address() != down.source)
    return; // another one has taken its place
  entry.handle = session_actor{};
  // The next one, if any, says its own number.
  self->state.context->loads->set({id, {}, {}}, {});
  auto released = entry.reviving; // see release()
  entry.reviving = true;          // nobody else is to do it during the pause
  if (!down.reason || down.reason == caf::exit_reason::normal
      || down.reason == caf::exit_reason::user_shutdown) {
    // Over and idle, or the node stops. Who asked in between asks the store.
    auto waiting = std::move(entry.waiting);
    auto project = entry.project_id;
    forget(self, id, no_such_session());
    for (auto& promise : waiting)
      promise.deliver(make_error(errc::unavailable,
                                 "the session was put to rest, try again"));
    // It may have come back meanwhile.
    if (released && self->state.projects.contains(project))
      look_for_stranded_in(self, project, now_ms());
    return;
  }
  // What the machine lacks for a while is no fault of the session.
  if (to_refusal(down.reason).code == errc::overloaded) {
    spdlog::error("session {} waits: {}", id, to_refusal(down.reason).message);
    self->delayed_send(self, resource_pause, revive_session{id});
    return;
  }
  auto now = now_ms();
  entry.crashes.push_back(now);
  self->state.context->counters->session_crashes.add();
  while (now - entry.crashes.front() > crash_window)
    entry.crashes.pop_front();
  auto shift = std::min<std::size_t>(entry.crashes.size() - 1, 6);
  auto pause = std::chrono::milliseconds{first_pause << shift};
  spdlog::error("session {} crashed ({} times within a minute), reviving it "
                "in {} ms: {}",
                id, entry.crashes.size(), pause.count(),
                to_refusal(down.reason).message);
  self->delayed_send(self, pause, revive_session{id});
}

void retire_children(pointer self, const std::string& project_id) {
  for (auto& [id, entry] : self->state.children)
    if (entry.project_id == project_id) {
      entry.project_id += '~';
      if (entry.handle)
        self->send_exit(entry.handle, caf::exit_reason::user_shutdown);
    }
}

void reconcile_all(pointer self,
                   caf::typed_response_promise<reconciled> promise) {
  self
    ->request(self->state.context->store, std::chrono::minutes{2},
              take_live_sessions{})
    .then(
      [self, promise](session_rows& rows) mutable {
        auto& state = self->state;
        auto count = static_cast<std::uint32_t>(rows.sessions.size());
        for (auto& record : rows.sessions) {
          // One that is not served now may be after the next start.
          if (!state.projects.contains(record.project_id)) {
            spdlog::error("session {} waits: its project {} is not served",
                          record.id, record.project_id);
            --count;
            continue;
          }
          auto& entry = state.children[record.id];
          if (entry.handle || std::exchange(entry.reviving, true))
            continue;
          entry.project_id = record.project_id;
          state.not_begun.insert(record.id);
          state.to_revive.push_back(std::move(record));
        }
        if (state.report)
          state.report(state.not_begun.size());
        revive_more(self);
        promise.deliver(reconciled{count});
        state.next_look = now_ms() + look_period;
        state.next_sweep = now_ms();
        // Now, where that may be: who wakes an ended session keeps it from it.
        sweep_if_due(self, state.next_sweep);
      },
      [promise](caf::error& e) mutable { promise.deliver(std::move(e)); });
}

} // namespace greenroom::supervisor
