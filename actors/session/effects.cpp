// Performs what the machine decides.
#include "actors/session/session.hpp"

#include "actors/runner_link/link.hpp"
#include "messages/errors.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/base/failpoint.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <type_traits>

namespace greenroom {

namespace in = session::in;
namespace out = session::out;

namespace {

constexpr std::chrono::seconds retry_pause{1};

bool is_queued_event(const session::effect& what) {
  auto* event = std::get_if<out::publish_exec>(&what);
  return event != nullptr && event->kind == event_kind::exec_queued;
}

} // namespace

// What depends on an exec's intent comes after it, and only if it is kept: the
// request in its directory and exec.queued in the timeline.
void session_actor_state::perform(const session::effects& todo) {
  const out::keep_exec* kept = nullptr;
  for (auto& what : todo) {
    std::optional<refusal> problem;
    if (auto* keep = std::get_if<out::keep_exec>(&what)) {
      kept = keep;
      problem = keep_exec(keep->exec_id);
    } else if (kept != nullptr && is_queued_event(what)) {
      problem = publish_queued(kept->exec_id);
    } else {
      perform(what);
    }
    if (problem) {
      // Before anything else that waits, for that may know the exec.
      inbox_.push_front(in::exec_unkept{kept->who, kept->exec_id, *problem});
      return;
    }
  }
}

void session_actor_state::perform(const session::effect& what) {
  std::visit(
    [this](const auto& x) {
      using type = std::decay_t<decltype(x)>;
      if constexpr (std::is_same_v<type, out::make_checkout>)
        make_checkout();
      else if constexpr (std::is_same_v<type, out::install_checkout>)
        install_checkout();
      else if constexpr (std::is_same_v<type, out::stop_runner>)
        stop_runner();
      else if constexpr (std::is_same_v<type, out::save_checkin>)
        save_checkin();
      else if constexpr (std::is_same_v<type, out::save_rescue>)
        save_rescue();
      else if constexpr (std::is_same_v<type, out::queue_review>)
        queue_review();
      else if constexpr (std::is_same_v<type, out::end_transfers>)
        end_transfers();
      else if constexpr (std::is_same_v<type, out::remove_checkout>)
        remove_checkout();
      else if constexpr (std::is_same_v<type, out::over>) {
        self_->send(supervisor_, arm_deadline{id(), 0});
        check_soon();
      } else if constexpr (std::is_same_v<type, out::arm>)
        self_->send(supervisor_, arm_deadline{id(), x.at});
      else if constexpr (std::is_same_v<type, out::persist>)
        persist(x);
      else if constexpr (std::is_same_v<type, out::publish_stored>)
        publish_stored();
      else if constexpr (std::is_same_v<type, out::publish>)
        publish(x);
      else if constexpr (std::is_same_v<type, out::publish_exec>)
        publish_exec(x.kind, x.exec_id);
      else if constexpr (std::is_same_v<type, out::start_exec>)
        feed(in::exec_asked{0, x.spec, now_ms()});
      else if constexpr (std::is_same_v<type, out::keep_exec>) {
        // Performed by whoever has the effects that depend on it.
      } else if constexpr (std::is_same_v<type, out::spawn_exec>)
        spawn_exec(x.exec_id);
      else if constexpr (std::is_same_v<type, out::kill_exec>)
        kill_exec(x.exec_id);
      else if constexpr (std::is_same_v<type, out::signal_exec>)
        pass_signal(x);
      else if constexpr (std::is_same_v<type, out::write_input>)
        pass_input(x);
      else if constexpr (std::is_same_v<type, out::resize_exec>)
        resize(x);
      else if constexpr (std::is_same_v<type, out::archive_exec>)
        archive(x.exec_id);
      else if constexpr (std::is_same_v<type, out::poll_branch>)
        poll_branch();
      else if constexpr (std::is_same_v<type, out::answer_refused>)
        refuse(x.who, x.why);
      else if constexpr (std::is_same_v<type, out::answer_session>) {
        if (auto start = pending_.take<pending::created>(x.who))
          start->promise.deliver(record());
        else if (auto extend = pending_.take<pending::extended>(x.who))
          extend->promise.deliver(view());
      } else if constexpr (std::is_same_v<type, out::answer_exec_later>)
        wait_for(x.exec_id, x.who, waits_for_end(x.who));
      else if constexpr (std::is_same_v<type, out::answer_exec_ended>)
        wait_for(x.exec_id, x.who, true);
      else if constexpr (std::is_same_v<type, out::answer_checkin>)
        answer_checkin(x.who);
      else if constexpr (std::is_same_v<type, out::answer_token>)
        answer_token(x.who);
      else if constexpr (std::is_same_v<type, out::answer_transfer>)
        answer_transfer(x.who);
      else if constexpr (std::is_same_v<type, out::answer_terminated>) {
        if (auto request = pending_.take<pending::termination>(x.who))
          request->promise.deliver(
            terminate_reply{id(), record().rescue_refs, record().rescue_note});
      } else
        static_assert(!sizeof(type), "an effect that nobody performs");
    },
    what);
}

// -- stored changes -----------------------------------------------------------

namespace {

/// An event has to stay below what the timeline takes for one.
void limit_rescue_refs(nlohmann::ordered_json& fields) {
  constexpr std::size_t max_shown = 1000;
  auto refs = fields.find("rescue_refs");
  if (refs == fields.end() || refs->size() <= max_shown)
    return;
  auto count = refs->size();
  refs->erase(refs->begin() + max_shown, refs->end());
  fields["rescue_refs_in_all"] = count;
}

} // namespace

std::vector<timeline_entry>
session_actor_state::life_events(const out::persist& change) {
  auto now = now_ms();
  std::vector<timeline_entry> result;
  for (auto& event : change.events) {
    // A review is a thing of its own, with a status of its own.
    auto fields = event.kind == event_kind::review_queued
                      || event.kind == event_kind::review_finished
                    ? nlohmann::ordered_json::object()
                    : session_json(change.next, machine_.running);
    limit_rescue_refs(fields);
    for (auto& [key, value] : event.fields)
      std::visit([&](auto& x) { fields[key] = x; }, value);
    timeline_entry entry;
    entry.kind = event.kind;
    entry.time = now;
    entry.version = change.next.version;
    entry.data = event_json(now, id(), fields);
    result.push_back(std::move(entry));
  }
  return result;
}

// The events go into the store with the change, so that a timeline which a
// crash cuts off right here can be completed.
void session_actor_state::persist(const out::persist& change) {
  change_events_ = life_events(change);
  auto list = nlohmann::ordered_json::array();
  for (auto& event : change_events_)
    list.push_back({{"type", to_string(event.kind)},
                    {"time", event.time},
                    {"data", nlohmann::ordered_json::parse(event.data)}});
  auto next = change.next;
  next.last_event = change_events_.empty()
                      ? ""
                      : std::string{to_string(change_events_.back().kind)};
  next.last_event_data = list.dump();
  write(next, change.refusable);
}

void session_actor_state::write(const session_record& next, bool refusable) {
  self_->request(context_->store, store_timeout, update_session{next})
    .then([this](done) { feed(in::stored{}); },
          [this, next, refusable](const caf::error& e) {
            not_stored(next, refusable, e);
          });
}

void session_actor_state::not_stored(const session_record& next, bool refusable,
                                     const caf::error& e) {
  auto why = to_refusal(e);
  if (why.code == errc::conflict) {
    // Another actor has taken the session: this one must not go on.
    spdlog::error("session {}: fenced off, epoch {} is over", id(),
                  record().epoch);
    leave(e);
    return;
  }
  spdlog::error("session {}: change not stored: {}", id(), why.message);
  // After a time-out nobody knows whether it is stored: the same write is
  // tried until that is known, and only then somebody is answered.
  if (refusable && why.code != errc::timeout) {
    feed(in::store_refused{
      {errc::unavailable, "the store does not take changes, try again"}});
    return;
  }
  // With the very same events: the store knows a repeated write by them.
  pending_change_ = [this, next, refusable] { write(next, refusable); };
  self_->delayed_send(self_, retry_pause, retry_later{});
}

void session_actor_state::publish_stored() {
  if (!is_live(record().status))
    failpoint("ending.stored");
  view_ = {};
  spdlog::info("session {} {} ({})", id(), to_string(record().status),
               change_events_.empty() ? "changed"
                                      : to_string(change_events_.back().kind));
  publish(std::exchange(change_events_, {}));
}

} // namespace greenroom
