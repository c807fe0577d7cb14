// How a session that another node had gets its checkout here, made of its last
// checkpoint: in its turn, while the session answers already.
#include "actors/session/session.hpp"

#include "actors/session/journal/life_entry.hpp"
#include "messages/errors.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace event = session::event;

using std::chrono::steady_clock;

namespace {

using std::chrono::milliseconds;

// A little less than the edge gives those who ask (http/base/options.hpp), so
// that they hear what they wait for.
constexpr std::chrono::seconds checkout_timeout{25};
constexpr std::chrono::seconds checkin_timeout{100};
constexpr std::chrono::seconds timeout_after_wait{3};

// Nothing is given up because the upstream is away, or the disk full.
bool may_be_tried_again(errc code) noexcept {
  return code == errc::overloaded || code == errc::unavailable
         || code == errc::timeout;
}

} // namespace

// -- the turn -----------------------------------------------------------------

void session_actor_state::await_turn(bool urgent) {
  if (turn_) {
    if (urgent)
      turn_->hurry();
    return;
  }
  turn_taken_ = false;
  turn_ = turns_->line_up(
    record().project_id, urgent, [me = caf::weak_actor_ptr{self_->ctrl()}] {
      if (auto there = me.lock())
        caf::anon_send(caf::actor_cast<full_session_actor>(there),
                       retry_later{});
    });
}

void session_actor_state::look_at_turn() {
  if (restore_again_at_ && *restore_again_at_ <= steady_clock::now()) {
    restore_again_at_.reset();
    feed(event::pause_over{});
  }
  if (turn_ && !turn_taken_ && turn_->is_granted()) {
    turn_taken_ = true;
    feed(event::turn_came{});
  }
}

void session_actor_state::pause_restore(milliseconds pause) {
  restore_again_at_ = steady_clock::now() + pause;
  self_->delayed_send(self_, pause, retry_later{});
}

// -- who waits ----------------------------------------------------------------

void session_actor_state::limit_wait(session::ticket who) {
  auto* exec = pending_.find<pending::exec>(who);
  milliseconds limit = checkout_timeout;
  if (pending_.find<pending::checkin>(who) != nullptr)
    limit = checkin_timeout;
  else if (exec != nullptr && exec->wait.count() > 0)
    limit = exec->wait + timeout_after_wait;
  checkout_waits_[who] = steady_clock::now() + limit;
  end_wait_in(limit, who);
}

// One timer for all of them: most have their answer long before.
void session_actor_state::end_wait_in(milliseconds limit, session::ticket who) {
  waits_.emplace(self_->clock().now() + limit, who);
  arm_waits();
}

void session_actor_state::arm_waits() {
  if (waits_.empty() || waits_.begin()->first >= next_wait_)
    return;
  next_wait_ = waits_.begin()->first;
  self_->delayed_send(self_, next_wait_ - self_->clock().now(), wait_over{});
}

void session_actor_state::end_waits() {
  const auto now = self_->clock().now();
  if (now >= next_wait_) // else there is a later one
    next_wait_ = no_wait;
  while (!waits_.empty() && waits_.begin()->first <= now) {
    auto who = waits_.begin()->second;
    waits_.erase(waits_.begin());
    wait_over_of(who);
  }
  arm_waits();
}

void session_actor_state::wait_over_of(session::ticket who) {
  auto found = checkout_waits_.find(who);
  if (found == checkout_waits_.end() || steady_clock::now() < found->second)
    return feed(event::wait_ended{who, now_ms()});
  checkout_waits_.erase(found);
  feed(event::checkout_wait_over{who});
}

// -- the checkout -------------------------------------------------------------

void session_actor_state::restore_checkout() {
  self_
    ->request(context_->git, git_timeout,
              greenroom::restore_checkout{project_, record()})
    .then(
      [this](restored_checkout& x) {
        restored_ = std::move(x);
        feed(event::checkout_made{});
      },
      [this](const caf::error& e) {
        auto why = to_refusal(e);
        if (may_be_tried_again(why.code)) {
          spdlog::warn("session {}: not restored yet: {}", id(), why.message);
          feed(event::restore_failed{std::move(why), now_ms()});
        } else {
          feed(event::checkout_failed{std::move(why), now_ms()});
        }
      });
}

// -- what watchers hear -------------------------------------------------------

namespace {

session_event moved_event(const std::string& node, bool restoring) {
  session_event moved;
  moved.kind = event_kind::session_moved;
  moved.time = now_ms();
  moved.fields.push_back({"node", event_field::type::text, node, 0, {}});
  moved.fields.push_back({"reason",
                          event_field::type::text,
                          "its node was lost, or has given it up",
                          0,
                          {}});
  moved.fields.push_back(
    {"restoring", event_field::type::flag, {}, restoring ? 1 : 0, {}});
  return moved;
}

} // namespace

// At once: the session answers here from now on.
void session_actor_state::tell_moved() {
  if (machine_.restore == session::restoring::no)
    return;
  arriving_ = true;
  auto moved = moved_event(context_->node, true);
  moved.fields.push_back({"missing",
                          event_field::type::text,
                          "what was done since its last checkpoint, files that "
                          "git ignores, and all that ran",
                          0,
                          {}});
  spdlog::warn("session {}: goes on here", id());
  std::vector<timeline_entry> entries;
  entries.push_back(journal::entry_of(record(), moved, machine_.running,
                                      preview_url_of(record())));
  publish(std::move(entries));
}

// And what its checkout was made of, once it is there.
void session_actor_state::tell_restored(const restored_checkout& from) {
  spdlog::warn("session {}: restored from {}", id(),
               from.checkpoint.empty() ? "its first commit"
                                       : "checkpoint " + from.checkpoint);
  if (!std::exchange(arriving_, false))
    return;
  auto moved = moved_event(context_->node, false);
  std::string missing = "everything since the session began";
  if (!from.checkpoint.empty()) {
    auto age = std::max<std::int64_t>((now_ms() - from.saved_at) / 1000, 0);
    moved.fields.push_back(
      {"checkpoint", event_field::type::text, from.checkpoint, 0, {}});
    moved.fields.push_back(
      {"checkpoint_age_seconds", event_field::type::number, {}, age, {}});
    missing = "what was done in the " + std::to_string(age)
              + " seconds since the checkpoint, files that git ignores, and "
                "all that ran";
  }
  moved.fields.push_back(
    {"missing", event_field::type::text, std::move(missing), 0, {}});
  std::vector<timeline_entry> entries;
  entries.push_back(journal::entry_of(record(), moved, machine_.running,
                                      preview_url_of(record())));
  publish(std::move(entries));
}

} // namespace greenroom
