// Checkout, check-in, rescue and review: what they ask of others.
#include "actors/session/session.hpp"

#include "actors/session/kept_work.hpp"
#include "messages/errors.hpp"
#include "runtime/base/failpoint.hpp"

#include <spdlog/spdlog.h>

namespace greenroom {

namespace event = session::event;

namespace {

// A project that is just being revived is there again in a moment, an upstream
// perhaps in a minute.
constexpr std::uint32_t max_review_tries = 60;

// What became of the wish to merge, in the API's words.
std::string merge_state(const review_record& review) {
  switch (review.status) {
    case review_status::merged:
    case review_status::conflict:
    case review_status::stale:
    case review_status::rejected:
    case review_status::failed:
      return std::string{to_string(review.status)};
    case review_status::queued:
    case review_status::running:
    case review_status::approved:
      break;
  }
  return review.auto_merge ? "queued" : "not_requested";
}

void add_review(checkin_reply& reply, const review_record& review) {
  reply.review_id = review.id;
  reply.merge = merge_state(review);
  if (review.status != review_status::merged)
    reply.merge_reason = review.status_reason;
  reply.merge_commit = review.merge_commit;
  reply.files = review.files;
}

} // namespace

void session_actor_state::make_checkout() {
  // One that has been somewhere already may have been on another node.
  if (context_->cluster && record().status != session_status::creating)
    return restore_checkout();
  self_
    ->request(context_->git, git_timeout,
              greenroom::make_checkout{project_, record()})
    .then([this](done) { feed(event::checkout_made{}); },
          [this](const caf::error& e) {
            auto why = to_refusal(e);
            if (why.code == errc::overloaded) {
              checkout_waiting_ = true;
              self_->delayed_send(self_, retry_pause, retry_later{});
              return;
            }
            feed(event::checkout_failed{std::move(why), now_ms()});
          });
}

void session_actor_state::install_checkout() {
  failpoint("create.made");
  self_->request(context_->git, git_timeout, greenroom::install_checkout{id()})
    .then(
      [this](done) {
        if (auto from = std::exchange(restored_, std::nullopt))
          tell_restored(*from);
        feed(event::checkout_installed{now_ms()});
      },
      [this](const caf::error& e) {
        auto why = to_refusal(e);
        if (why.code == errc::overloaded) {
          install_waiting_ = true;
          self_->delayed_send(self_, retry_pause, retry_later{});
          return;
        }
        why.message = "the checkout cannot be put on disk: " + why.message;
        feed(event::checkout_install_failed{std::move(why), now_ms()});
      });
}

void session_actor_state::save_checkin() {
  failpoint("checkin.started");
  self_
    ->request(context_->git, git_timeout,
              greenroom::save_checkin{project_, record(), machine_.author,
                                      machine_.message})
    .then(
      [this](saved_checkin& x) {
        failpoint("checkin.saved");
        note_unpushed(x.note);
        feed(event::checkin_saved{std::move(x.commit), now_ms(),
                                  std::move(x.rescued), std::move(x.note)});
      },
      [this](const caf::error& e) {
        auto why = to_refusal(e);
        if (why.message == lost_touch_meanwhile)
          return perform(session::effect::begin_checkin{});
        feed(event::checkin_failed{std::move(why)});
      });
}

void session_actor_state::save_rescue() {
  self_
    ->request(context_->git, rescue_timeout,
              greenroom::save_rescue{project_, record()})
    .then(
      [this](saved_rescue& x) {
        failpoint("rescue.saved");
        note_unpushed(x.note);
        feed(event::rescue_saved{std::move(x.rescued), now_ms(),
                                 std::move(x.note)});
      },
      [this](const caf::error& e) {
        rescue_problem_ = to_refusal(e).message;
        if (rescue_problem_ == lost_touch_meanwhile)
          return perform(session::effect::begin_rescue{});
        // On a full disk there is a reserve for this.
        post(journal::make_room{});
      });
}

// The ends of its commands come before its work is saved; where the disk has no
// room for those, what fills it may be what no end keeps, which goes when work
// is saved. So that is done once before its turn, and again then: the session
// does not come back from such an end, and nothing of it runs any more.
void session_actor_state::win_room_for_end() {
  using session::ending;
  const auto why = machine_.why;
  const auto for_good =
    why == ending::terminate || why == ending::fail
    || (why == ending::expire && record().expiry == on_expire::rescue);
  if (!for_good || !machine_.stopped || !context_->may_acknowledge()
      || std::exchange(won_room_, true))
    return;
  self_
    ->request(context_->git, rescue_timeout,
              greenroom::save_rescue{project_, record()})
    .then([](const saved_rescue&) {}, [](const caf::error&) {});
}

void session_actor_state::operator()(const journal::room_made& x) {
  if (x.made)
    perform(session::effect::begin_rescue{});
  else
    rescue_failed();
}

void session_actor_state::rescue_failed() {
  auto reason = kept_reason(rescue_problem_, id(), context_->node);
  spdlog::error("session {}: {}", id(), reason);
  feed(event::rescue_failed{std::move(reason), now_ms()});
}

// Where the upstream is away the project pushes them when it is back.
void session_actor_state::note_unpushed(const std::string& note) {
  if (note.empty())
    return;
  self_
    ->request(context_->directory, look_up_timeout,
              find_project{record().project_id})
    .then(
      [this](const project_actor& project) {
        self_->send(project, rescue_waits{});
      },
      [this](const caf::error& e) {
        spdlog::warn("session {}: its rescue refs are looked at when the "
                     "server starts again: {}",
                     id(), to_refusal(e).message);
      });
}

void session_actor_state::remove_checkout() {
  drop_checkpoint();
  self_->request(context_->git, git_timeout, greenroom::remove_checkout{id()})
    .then([](done) {},
          [this](const caf::error& e) {
            // Found again and removed at the next start.
            spdlog::warn("session {}: checkout not removed yet: {}", id(),
                         to_refusal(e).message);
          });
}

// -- review -------------------------------------------------------------------

void session_actor_state::queue_review() {
  ++review_tries_;
  self_
    ->request(context_->directory, look_up_timeout,
              find_project{record().project_id})
    .then([this](const project_actor& project) { ask_for_review(project); },
          [this](const caf::error& e) { review_refused(to_refusal(e)); });
}

void session_actor_state::ask_for_review(const project_actor& project) {
  greenroom::queue_review request{record(), machine_.author,
                                  machine_.skip_review, machine_.auto_merge};
  request.session.commit = machine_.commit;
  // It is waited for until it is known how the merge went.
  self_->request(project, actor_timeout, std::move(request))
    .then(
      [this](review_record& review) {
        failpoint("checkin.reviewed");
        review_tries_ = 0;
        feed(event::review_queued{std::move(review), now_ms()});
      },
      [this](const caf::error& e) { review_refused(to_refusal(e)); });
}

void session_actor_state::review_refused(const refusal& why) {
  spdlog::warn("session {}: review not queued: {}", id(), why.message);
  auto later = why.code == errc::unavailable || why.code == errc::overloaded
               || why.code == errc::timeout;
  auto patient = machine_.enders.empty();
  if (later && patient && review_tries_ < max_review_tries) {
    review_waiting_ = true;
    self_->delayed_send(self_, retry_pause, retry_later{});
    return;
  }
  review_tries_ = 0;
  feed(event::review_refused{why, now_ms()});
}

// -- the answer ---------------------------------------------------------------

void session_actor_state::answer_checkin(session::ticket who) {
  if (pending_.find<pending::checkin>(who) == nullptr)
    return;
  checkin_reply reply{id(), record().status, record().commit, record().branch};
  reply.rescue_refs = record().rescue_refs;
  reply.rescue_note = record().rescue_note;
  auto& review_id = record().review_id;
  if (review_id.empty() || review_id == machine_.review.id) {
    if (!review_id.empty()) {
      add_review(reply, machine_.review);
    } else if (machine_.auto_merge && !machine_.review.status_reason.empty()) {
      reply.merge = to_string(review_status::failed);
      reply.merge_reason = machine_.review.status_reason;
    }
    return deliver_checkin(who, std::move(reply));
  }
  // Of a session that has ended before, the review has gone on meanwhile.
  self_
    ->request(context_->reader, look_up_timeout,
              load_review{record().project_id, review_id})
    .then(
      [this, who, reply](const review_record& review) mutable {
        add_review(reply, review);
        deliver_checkin(who, std::move(reply));
      },
      [this, who](const caf::error& e) { pending_.refuse(who, e); });
}

void session_actor_state::deliver_checkin(session::ticket who,
                                          checkin_reply reply) {
  if (auto request = pending_.take<pending::checkin>(who))
    request->promise.deliver(std::move(reply));
}

} // namespace greenroom
