// Changes of the session's record: into the store first, then to all who watch.
#include "actors/session/session.hpp"

#include "actors/session/journal/life_entry.hpp"
#include "messages/errors.hpp"
#include "runtime/base/failpoint.hpp"

#include <spdlog/spdlog.h>

#include <utility>
#include <variant>

namespace greenroom {

namespace event = session::event;
namespace effect = session::effect;

namespace {

event_field to_field(const std::string& key, const session::field& value) {
  using type = event_field::type;
  event_field result;
  result.name = key;
  if (auto* text = std::get_if<std::string>(&value)) {
    result.text = *text;
  } else if (auto* flag = std::get_if<bool>(&value)) {
    result.what = type::flag;
    result.number = *flag ? 1 : 0;
  } else if (auto* number = std::get_if<std::int64_t>(&value)) {
    result.what = type::number;
    result.number = *number;
  } else {
    result.what = type::list;
    result.list = std::get<std::vector<std::string>>(value);
  }
  return result;
}

} // namespace

// The events go into the store with the change, so that a timeline which a
// crash cuts off right here can be completed.
void session_actor_state::persist(const effect::persist& change) {
  change_events_.clear();
  for (auto& event : change.events) {
    session_event stored;
    stored.version = change.next.version;
    stored.kind = event.kind;
    stored.time = now_ms();
    for (auto& [key, value] : event.fields)
      stored.fields.push_back(to_field(key, value));
    change_events_.push_back(std::move(stored));
  }
  write(change.next, change.refusable);
}

void session_actor_state::write(const session_record& next, bool refusable) {
  self_
    ->request(context_->store, store_timeout,
              update_session{next, change_events_})
    .then([this](done) { feed(event::stored{}); },
          [this, next, refusable](const caf::error& e) {
            not_stored(next, refusable, e);
          });
}

// Another actor has taken the session: this one must not go on.
void session_actor_state::fenced_off(const caf::error& why) {
  spdlog::error("session {}: fenced off, epoch {} is over", id(),
                record().epoch);
  leave(why);
}

void session_actor_state::not_stored(const session_record& next, bool refusable,
                                     const caf::error& e) {
  auto why = to_refusal(e);
  if (why.code == errc::conflict)
    return fenced_off(e);
  spdlog::error("session {}: change not stored: {}", id(), why.message);
  // After a time-out nobody knows whether it is stored: the same write is
  // tried until that is known, and only then somebody is answered.
  if (refusable && why.code != errc::timeout) {
    feed(event::store_refused{
      {errc::unavailable, "the store does not take changes, try again"}});
    return;
  }
  // With the very same record: the store knows a repeated write by it. What may
  // be stored can be refused no more.
  pending_change_ = [this, next] { write(next, false); };
  self_->delayed_send(self_, retry_pause, retry_later{});
}

void session_actor_state::publish_stored() {
  if (!is_live(record().status))
    failpoint("ending.stored");
  view_ = {};
  spdlog::info("session {} {} ({})", id(), to_string(record().status),
               change_events_.empty() ? "changed"
                                      : to_string(change_events_.back().kind));
  std::vector<timeline_entry> entries;
  for (auto& event : std::exchange(change_events_, {}))
    entries.push_back(journal::entry_of(record(), event, machine_.running,
                                        preview_url_of(record())));
  publish(std::move(entries));
}

} // namespace greenroom
