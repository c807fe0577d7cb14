// What was left behind: sessions of the store without an actor, and what ended
// sessions have on disk.
#include "actors/supervisor_parts.hpp"

#include "actors/session/kept_work.hpp"
#include "messages/errors.hpp"
#include "messages/left_work.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::supervisor {

namespace {

constexpr millis look_pause = 1'000;

}

void look_for_stranded_in(pointer self, const std::string& project_id,
                          unix_ms created_before) {
  auto adopt_all = [self, created_before](session_rows& rows) {
    auto& state = self->state;
    for (auto& row : rows.sessions) {
      if (row.node != state.context->node || row.created_at > created_before
          || state.children.contains(row.id))
        continue;
      spdlog::warn("session {} has no actor, giving it one", row.id);
      state.children[row.id].project_id = row.project_id;
      revive(self, row.id);
    }
  };
  self
    ->request(self->state.context->reader, look_up_timeout,
              live_sessions{project_id})
    .then(adopt_all, [self, project_id, created_before](const caf::error& e) {
      spdlog::warn("project {}: its live sessions cannot be looked at yet: {}",
                   project_id, to_refusal(e).message);
      auto& before = self->state.unseen[project_id];
      before = std::max(before, created_before);
      self->state.look_again = now_ms() + look_pause;
    });
}

void look_again(pointer self) {
  for (auto& [id, before] : std::exchange(self->state.unseen, {}))
    if (self->state.projects.contains(id))
      look_for_stranded_in(self, id, before);
}

// What was stored a moment ago may still be on its way to us.
void look_for_stranded(pointer self, unix_ms now) {
  for (auto& [id, rules] : self->state.projects)
    look_for_stranded_in(self, id, now - look_period);
}

namespace {

// Rescue refs that the upstream did not take are the project's to push.
void wake_project(pointer self, const std::string& project_id) {
  self
    ->request(self->state.context->directory, look_up_timeout,
              find_project{project_id})
    .then(
      [self](const project_actor& project) {
        self->send(project, rescue_waits{});
      },
      [project_id](const caf::error& e) {
        spdlog::warn("project {}: rescue refs that the upstream lacks are "
                     "looked at when the server starts again: {}",
                     project_id, to_refusal(e).message);
      });
}

// The record names what was saved before that is all there is of the work.
template <class Then, class Fail>
void store_rescue(pointer self, const session_record& known,
                  saved_rescue& saved, Then then, Fail fail) {
  auto waits = !saved.note.empty();
  auto record = rescued_later(known, std::move(saved));
  if (record == known)
    return then();
  ++record.version;
  self
    ->request(self->state.context->store, store_timeout,
              update_session{record, {}})
    .then(
      [self, waits, project_id = record.project_id, then](done) {
        if (waits)
          wake_project(self, project_id);
        then();
      },
      fail);
}

// A directory that is swept, and how the sweep goes on after it.
struct swept {
  pointer self;
  std::string id; // of a session or review
  std::function<void()> next;

  void skip(const caf::error& why) const {
    spdlog::warn("session {}: its checkout stays: {}", id,
                 to_refusal(why).message);
    next();
  }
  void remove() const {
    self->request(self->state.context->git, git_timeout, remove_checkout{id})
      .then([next = next](done) { next(); },
            [what = *this](const caf::error& e) { what.skip(e); });
  }
};

void sweep_review(const swept& what) {
  auto self = what.self;
  self
    ->request(self->state.context->reader, look_up_timeout,
              load_review{{}, what.id})
    .then(
      [what](const review_record& review) {
        if (review.ended_at == 0)
          what.next(); // it is being run anew
        else
          what.remove();
      },
      [what](const caf::error& e) { what.skip(e); });
}

void sweep_session(const swept& what, const session_record& record) {
  auto self = what.self;
  auto project = self->state.projects.find(record.project_id);
  if (is_live(record.status) || project == self->state.projects.end()
      || is_elsewhere(self->state, record)) {
    what.next();
    return;
  }
  auto skip = [what](const caf::error& e) { what.skip(e); };
  self
    ->request(self->state.context->git, rescue_timeout,
              save_rescue{project->second, record})
    .then(
      [what, record, skip](saved_rescue& saved) {
        if (leaves_work(saved.note))
          store_rescue(what.self, record, saved, what.next, skip);
        else
          store_rescue(
            what.self, record, saved, [what] { what.remove(); }, skip);
      },
      skip);
}

// Sessions that are over but whose end a crash cut short, or whose work could
// not be saved: it is saved once more, which does no harm, and their checkout
// goes. What lies here of one that has ended on another node was saved there.
void sweep(pointer self, std::shared_ptr<std::vector<std::string>> left) {
  if (left->empty()) {
    self->state.sweeping = false;
    return;
  }
  const swept what{self, std::move(left->back()),
                   [self, left] { sweep(self, left); }};
  left->pop_back();
  self
    ->request(self->state.context->reader, look_up_timeout,
              load_session{what.id})
    .then([what](const session_record& record) { sweep_session(what, record); },
          [what](const caf::error& e) {
            // Reviews have theirs at the same place.
            if (to_refusal(e).code == errc::not_found)
              sweep_review(what);
            else
              what.skip(e);
          });
}

void start_sweep(pointer self) {
  if (std::exchange(self->state.sweeping, true))
    return;
  list_directories in_use;
  in_use.in_use = true;
  self->request(self->state.context->git, git_timeout, in_use)
    .then(
      [self](directory_list& found) {
        std::erase_if(found.ids, [self](const auto& id) {
          return self->state.children.contains(id);
        });
        sweep(self,
              std::make_shared<std::vector<std::string>>(std::move(found.ids)));
      },
      [self](const caf::error& e) {
        spdlog::warn("what ended sessions have on disk stays for now: {}",
                     to_refusal(e).message);
        self->state.sweeping = false;
      });
}

} // namespace

// Without a lease nothing would be swept, and a start comes before it.
void sweep_if_due(pointer self, unix_ms now) {
  auto& state = self->state;
  const auto& gate = state.context->gate;
  if (state.next_sweep == 0 || state.next_sweep > now
      || (gate && !gate->is_open()))
    return;
  state.next_sweep = now + sweep_period;
  start_sweep(self);
}

} // namespace greenroom::supervisor
