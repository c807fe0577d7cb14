// Changes of the session's record: into the store first, then to all who watch.
#include "actors/session/session.hpp"

#include "messages/errors.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/base/failpoint.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace greenroom {

namespace event = session::event;
namespace effect = session::effect;

namespace {

constexpr std::chrono::seconds retry_pause{1};

// An event has to stay below what the timeline takes for one.
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
session_actor_state::life_events(const effect::persist& change) {
  auto now = now_ms();
  std::vector<timeline_entry> result;
  for (auto& event : change.events) {
    // A review is a thing of its own, with a status of its own.
    auto fields = event.kind == event_kind::review_queued
                      || event.kind == event_kind::review_finished
                    ? nlohmann::ordered_json::object()
                    : session_json(change.next, machine_.running,
                                   preview_url_of(change.next));
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
void session_actor_state::persist(const effect::persist& change) {
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
    .then([this](done) { feed(event::stored{}); },
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
    feed(event::store_refused{
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
