// What tests of the session machine share: states, and looks at effects.
#pragma once

#include "actors/session/machine/machine.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

namespace greenroom::session {

inline constexpr millis minute = 60'000;
inline constexpr millis hour = 60 * minute;
inline constexpr unix_ms birth = 1'000'000'000'000;

inline state new_session(session_status status = session_status::creating,
                         millis lifetime = 48 * hour) {
  state s;
  s.record.id = "aaaaaaaaaaaaaaaaaaaa";
  s.record.status = status;
  s.record.created_at = birth;
  s.record.expires_at = birth + lifetime;
  s.record.warned = first_warning(lifetime);
  s.bounds.max_concurrent = 2;
  s.bounds.max_queued = 2;
  return s;
}

template <class T>
const T* find(const effects& list) {
  for (auto& what : list)
    if (auto* found = std::get_if<T>(&what))
      return found;
  return nullptr;
}

template <class T>
std::size_t count(const effects& list) {
  return static_cast<std::size_t>(
    std::ranges::count_if(list, [](const any_effect& what) {
      return std::holds_alternative<T>(what);
    }));
}

// Plays the store: takes the change, answers with what follows from it.
inline effects store(state& s, const effects& list) {
  auto* change = find<effect::persist>(list);
  REQUIRE(change != nullptr);
  REQUIRE(busy(s));
  REQUIRE(change->next.version == s.record.version + 1);
  auto then = session::apply(s, event::stored{});
  REQUIRE_FALSE(busy(s));
  // Nothing is promised before it is published.
  REQUIRE(std::holds_alternative<effect::publish_stored>(then.at(0)));
  return then;
}

inline state active_session(millis lifetime = 48 * hour) {
  auto s = new_session(session_status::creating, lifetime);
  REQUIRE(find<effect::begin_checkout>(session::apply(s, event::begin{})));
  auto then = store(s, session::apply(s, event::checkout_made{}));
  REQUIRE(s.record.status == session_status::active);
  REQUIRE(find<effect::finish_checkout>(then));
  REQUIRE(session::apply(s, event::checkout_installed{birth}).empty());
  s.runner = runner_state::up;
  return s;
}

// Plays the disk: what is admitted is written down at once.
inline effects ask(state& s, ticket who, exec_spec spec,
                   bool until_end = false) {
  auto id = spec.exec_id;
  auto asked =
    session::apply(s, event::exec_asked{who, std::move(spec), 1, until_end});
  if (find<effect::keep_exec>(asked) == nullptr)
    return asked;
  // Nobody has seen it before.
  REQUIRE(asked.size() == 1);
  REQUIRE_FALSE(s.execs.contains(id));
  return session::apply(s, event::exec_kept{id, 1});
}

// Plays runner and timeline: it runs, and who waits for that has heard of it.
inline effects begin_exec(state& s, const std::string& id) {
  REQUIRE(
    find<effect::publish_exec>(session::apply(s, event::exec_running{id, 1})));
  return session::apply(s, event::exec_announced{id, false, 1});
}

// It ends, and that is in the timeline.
inline effects end_exec(state& s, const std::string& id, exec_outcome outcome) {
  session::apply(s, event::exec_done{id, std::move(outcome)});
  return session::apply(s, event::exec_announced{id, true, 1});
}

inline exec_spec command(std::string id, std::string text = "true") {
  exec_spec spec;
  spec.exec_id = std::move(id);
  spec.command = std::move(text);
  return spec;
}

inline exec_outcome exit_with(int code) {
  exec_outcome outcome;
  outcome.status = exec_status::exited;
  outcome.exit_code = code;
  return outcome;
}

inline review_record some_review(review_status status = review_status::queued) {
  review_record review;
  review.id = "r1";
  review.status = status;
  return review;
}

inline bool refused_with(const effects& list, ticket who, errc code,
                         const std::string& message = "") {
  auto* found = find<effect::answer_refused>(list);
  return found != nullptr && found->who == who && found->why.code == code
         && (message.empty() || found->why.message == message);
}

} // namespace greenroom::session
