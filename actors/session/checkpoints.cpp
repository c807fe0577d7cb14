// Where there are several nodes, a session's work is kept where another one
// finds it: soon after something was done, and now and then while commands run.
#include "actors/session/session.hpp"

#include "actors/session/journal/life_entry.hpp"
#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace event = session::event;

namespace {

using std::chrono::milliseconds;

/// What follows at once is saved along. In a large checkout it takes longer
/// until the next one, so that no more than a part of the time goes into them.
constexpr milliseconds after_work{3'000};
constexpr int pauses_for_each = 10;
constexpr std::chrono::seconds retry_pause{1};

} // namespace

void session_actor_state::note_work(event_kind kind) {
  if (!context_->cluster)
    return;
  switch (kind) {
    case event_kind::exec_started:
      return checkpoint_within(milliseconds{context_->checkpoint_every});
    case event_kind::exec_exited:
    case event_kind::git_committed:
    case event_kind::git_pushed:
      return checkpoint_within(
        std::min(milliseconds{context_->checkpoint_every},
                 std::max(after_work, checkpoint_took_ * pauses_for_each)));
    default:
      return;
  }
}

// Where one is due sooner, that will do.
void session_actor_state::checkpoint_within(milliseconds pause) {
  auto at = std::chrono::steady_clock::now() + pause;
  if (checkpoint_at_ && *checkpoint_at_ <= at)
    return;
  checkpoint_at_ = at;
  self_->delayed_send(self_, pause, checkpoint_due{++checkpoint_turn_});
}

void session_actor_state::save_checkpoint(const checkpoint_due& x) {
  if (x.turn != checkpoint_turn_)
    return;
  checkpoint_at_.reset();
  if (record().status != session_status::active || machine_.installing
      || machine_.why != session::ending::none)
    return;
  // Another node may have saved what was done there.
  if (!context_->may_acknowledge())
    return checkpoint_within(after_work);
  if (std::exchange(saving_checkpoint_, true))
    return checkpoint_within(after_work);
  using std::chrono::steady_clock;
  auto again = [this, since = steady_clock::now()](bool wanted) {
    saving_checkpoint_ = false;
    checkpoint_took_ =
      std::chrono::duration_cast<milliseconds>(steady_clock::now() - since);
    if (wanted)
      checkpoint_within(milliseconds{context_->checkpoint_every});
  };
  self_
    ->request(context_->git, git_timeout,
              greenroom::save_checkpoint{project_, record()})
    .then([this, again](done) { again(machine_.running > 0); },
          [this, again](const caf::error& e) {
            spdlog::warn("session {}: no checkpoint: {}", id(),
                         to_refusal(e).message);
            again(true);
            // It was not this node's, which is known now. Where the session is
            // another's by now there is no next time.
            if (to_refusal(e).code == errc::conflict)
              checkpoint_within(after_work);
          });
}

// A note says that the upstream may lack some of the work: then the checkpoint
// stays, as one more copy.
void session_actor_state::drop_checkpoint() {
  if (!context_->cluster || !record().rescue_note.empty())
    return;
  self_
    ->request(context_->git, git_timeout,
              greenroom::drop_checkpoint{project_, id()})
    .then([](done) {},
          [this](const caf::error& e) {
            spdlog::warn("session {}: its checkpoint stays: {}", id(),
                         to_refusal(e).message);
          });
}

// -- on the next node ---------------------------------------------------------

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
        // Nothing is given up because the upstream is away.
        if (why.code == errc::overloaded || why.code == errc::unavailable) {
          spdlog::warn("session {}: not restored yet: {}", id(), why.message);
          checkout_waiting_ = true;
          self_->delayed_send(self_, retry_pause, retry_later{});
          return;
        }
        feed(event::checkout_failed{std::move(why), now_ms()});
      });
}

void session_actor_state::tell_moved(const restored_checkout& from) {
  session_event moved;
  moved.kind = event_kind::session_moved;
  moved.time = now_ms();
  auto say = [&](const char* field, std::string text) {
    moved.fields.push_back(
      {field, event_field::type::text, std::move(text), 0, {}});
  };
  say("node", context_->node);
  std::string missing = "everything since the session began";
  if (!from.checkpoint.empty()) {
    auto age = std::max<std::int64_t>((now_ms() - from.saved_at) / 1000, 0);
    say("checkpoint", from.checkpoint);
    moved.fields.push_back(
      {"checkpoint_age_seconds", event_field::type::number, {}, age, {}});
    missing = "what was done in the " + std::to_string(age)
              + " seconds since the checkpoint, files that git ignores, and "
                "all that ran";
  }
  say("reason", "its node was lost, or has given it up");
  say("missing", std::move(missing));
  spdlog::warn("session {}: goes on here, from {}", id(),
               from.checkpoint.empty() ? "its first commit"
                                       : "checkpoint " + from.checkpoint);
  std::vector<timeline_entry> entries;
  entries.push_back(journal::entry_of(record(), moved, machine_.running,
                                      preview_url_of(record())));
  publish(std::move(entries));
  tell_missed();
}

} // namespace greenroom
