#include "actors/retention/retention.hpp"

#include "messages/errors.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>
#include <memory>

namespace greenroom {

namespace {

using retention_pointer = retention_actor::stateful_pointer<retention_state>;

constexpr std::uint32_t batch = 100;

void begin_next(retention_pointer self);

void finish(retention_pointer self) {
  self->state.busy = false;
  begin_next(self);
}

// -- files --------------------------------------------------------------------

void remove_next(retention_pointer self, const std::function<void()>& then);

void remove_files(retention_pointer self, const std::string& id,
                  const std::function<void()>& then) {
  self->request(self->state.context->git, git_timeout, remove_session_files{id})
    .then([self, then](done) { remove_next(self, then); },
          [self, id, then](const caf::error& e) {
            // Found again by the sweep, in an hour.
            spdlog::warn("session {} is forgotten, but not its files: {}", id,
                         to_refusal(e).message);
            remove_next(self, then);
          });
}

// One after the other, so that the git workers have time for everybody else.
void remove_next(retention_pointer self, const std::function<void()>& then) {
  auto& gone = self->state.gone;
  if (gone.empty()) {
    then();
    return;
  }
  auto id = std::move(gone.front());
  gone.pop_front();
  // One that was asked for a moment ago still has an actor.
  self->request(self->state.supervisor, look_up_timeout, find_session{{}, id})
    .then(
      [self, id, then](const session_actor& handle) {
        self->send_exit(handle, caf::exit_reason::user_shutdown);
        remove_files(self, id, then);
      },
      [self, id, then](const caf::error&) { remove_files(self, id, then); });
}

// -- what has files here and no row -------------------------------------------

using names = std::shared_ptr<std::deque<std::string>>;

void look_up_next(retention_pointer self, const names& left) {
  if (left->empty()) {
    remove_next(self, [self] { finish(self); });
    return;
  }
  auto id = std::move(left->front());
  left->pop_front();
  self->request(self->state.context->reader, look_up_timeout, load_session{id})
    .then([self, left](const session_record&) { look_up_next(self, left); },
          [self, left, id](const caf::error& e) {
            if (to_refusal(e).code == errc::not_found)
              self->state.gone.push_back(id);
            look_up_next(self, left);
          });
}

// Directories that the store knows nothing of: of sessions that went on at
// another node, which has removed their rows, and what a crash has left. Those
// that are young may belong to a store that is not the right one.
void sweep(retention_pointer self, unix_ms now) {
  list_directories old;
  old.unchanged_since = now - self->state.keep.ended;
  self->request(self->state.context->git, git_timeout, old)
    .then(
      [self](directory_list& found) {
        look_up_next(self, std::make_shared<std::deque<std::string>>(
                             std::make_move_iterator(found.ids.begin()),
                             std::make_move_iterator(found.ids.end())));
      },
      [self](const caf::error& e) {
        spdlog::warn("old directories are not looked for: {}",
                     to_refusal(e).message);
        finish(self);
      });
}

// -- rows ---------------------------------------------------------------------

old_rows_actor rows_of(retention_pointer self) {
  return caf::actor_cast<old_rows_actor>(self->state.context->store);
}

void drop(retention_pointer self, unix_ms now) {
  self
    ->request(rows_of(self), store_timeout,
              drop_old{now - self->state.keep.ended, batch, self->state.kept})
    .then(
      [self, now](dropped_sessions& dropped) {
        if (dropped.session_ids.empty()) {
          sweep(self, now);
          return;
        }
        spdlog::info("{} sessions and reviews were kept long enough and go",
                     dropped.session_ids.size());
        for (auto& id : dropped.session_ids)
          self->state.gone.push_back(std::move(id));
        remove_next(self, [self, now] { drop(self, now); });
      },
      [self](const caf::error& e) {
        spdlog::warn("ended sessions stay for now: {}", to_refusal(e).message);
        finish(self);
      });
}

// A few at a time, so that the store has time for everybody else. Who named
// those that stay will name them again.
void drop_told(retention_pointer self) {
  auto& told = self->state.told;
  std::erase_if(told, [&](const std::string& id) {
    return std::ranges::find(self->state.kept, id) != self->state.kept.end();
  });
  if (told.empty()) {
    finish(self);
    return;
  }
  drop_sessions next;
  const auto count = std::min<std::size_t>(told.size(), batch);
  std::move(told.begin(), told.begin() + static_cast<std::ptrdiff_t>(count),
            std::back_inserter(next.session_ids));
  told.erase(told.begin(), told.begin() + static_cast<std::ptrdiff_t>(count));
  self->request(rows_of(self), store_timeout, std::move(next))
    .then(
      [self](dropped_sessions& dropped) {
        spdlog::info("{} sessions and reviews go before their time: their "
                     "project keeps more than sessions.keep_output",
                     dropped.session_ids.size());
        for (auto& id : dropped.session_ids)
          self->state.gone.push_back(std::move(id));
        remove_next(self, [self] { drop_told(self); });
      },
      [self](const caf::error& e) {
        spdlog::warn("sessions of a project that keeps too much stay: {}",
                     to_refusal(e).message);
        self->state.told.clear();
        finish(self);
      });
}

// What a session that is over still has here could not be saved.
void look_for_kept(retention_pointer self, const std::function<void()>& then) {
  list_directories in_use;
  in_use.in_use = true;
  self->request(self->state.context->git, git_timeout, in_use)
    .then(
      [self, then](directory_list& found) {
        self->state.kept = std::move(found.ids);
        then();
      },
      [self](const caf::error& e) {
        spdlog::warn("ended sessions stay for now: {}", to_refusal(e).message);
        self->state.told.clear();
        finish(self);
      });
}

// One thing after the other.
void begin_next(retention_pointer self) {
  auto& state = self->state;
  if (state.busy || (state.due == 0 && state.told.empty()))
    return;
  state.busy = true;
  look_for_kept(self, [self, due = std::exchange(state.due, 0)] {
    if (due != 0)
      drop(self, due);
    else
      drop_told(self);
  });
}

void drop_old_audit(retention_pointer self, unix_ms now) {
  auto& keep = self->state.keep;
  if (keep.audit == 0)
    return;
  self
    ->request(self->state.context->store, store_timeout,
              drop_audit{now - keep.audit, keep.audit_entries})
    .then([](done) {},
          [](const caf::error& e) {
            spdlog::warn("old entries of the audit stay for now: {}",
                         to_refusal(e).message);
          });
}

} // namespace

retention_actor::behavior_type retention(retention_pointer self,
                                         context_ptr context,
                                         session_supervisor_actor supervisor,
                                         retention_rules keep) {
  self->state.context = std::move(context);
  self->state.supervisor = std::move(supervisor);
  self->state.keep = keep;
  self->send(self, clock_tick{});
  return {
    [self](const clock_tick& tick) {
      if (tick.now == 0)
        self->delayed_send(self, retention_period, clock_tick{});
      self->state.due = tick.now != 0 ? tick.now : now_ms();
      drop_old_audit(self, self->state.due);
      begin_next(self);
    },
    [self](forget_sessions& x) {
      std::ranges::move(x.session_ids, std::back_inserter(self->state.told));
      begin_next(self);
    },
  };
}

} // namespace greenroom
