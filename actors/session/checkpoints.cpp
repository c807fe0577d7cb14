// Where there are several nodes, a session's work is kept where another one
// finds it: soon after something was done, and now and then while commands run.
#include "actors/session/session.hpp"

#include "messages/errors.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom {

namespace {

using std::chrono::milliseconds;

/// What follows at once is saved along. In a large checkout it takes longer
/// until the next one, so that no more than a part of the time goes into them.
constexpr milliseconds after_work{3'000};
constexpr int pauses_for_each = 10;

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

} // namespace greenroom
