// Execs of a session that are not in memory any more.
#include "actors/session/session.hpp"

#include "messages/errors.hpp"

#include <utility>

namespace greenroom {

namespace {

// Requests for one exec that wait for it to be found.
constexpr std::size_t max_waiting_recalls = 256;

const refusal too_much{errc::overloaded,
                       "the server has too much to read, try again in a "
                       "moment"};

} // namespace

// Calls `then` once the exec is in memory, or is known not to exist. `who` is
// refused where neither can be found out.
void session_actor_state::with_exec(const std::string& exec_id,
                                    session::ticket who,
                                    std::function<void()> then) {
  if (archived_ == 0 || machine_.execs.contains(exec_id)
      || machine_.keeping.contains(exec_id)) {
    then();
    return;
  }
  auto& waiting = recalls_[exec_id];
  if (waiting.size() >= max_waiting_recalls)
    return refuse(who, too_much);
  waiting.emplace_back(who, std::move(then));
  if (waiting.size() > 1 || post(journal::recall_exec{exec_id}))
    return;
  recalls_.erase(exec_id);
  refuse(who, too_much);
}

void session_actor_state::operator()(journal::exec_recalled& x) {
  auto asked = recalls_.extract(x.exec_id);
  if (!asked)
    return;
  if (x.exec) {
    places_[x.exec_id] = {x.place.queued, x.place.exited, true};
    feed(session::event::exec_recalled{std::move(*x.exec)});
  }
  for (auto& [who, then] : asked.mapped())
    if (x.problem)
      refuse(who, *x.problem);
    else
      then();
}

void session_actor_state::archive(const std::string& exec_id) {
  forget_note(exec_id);
  auto place = places_.extract(exec_id);
  if (!place || place.mapped().archived)
    return;
  ++archived_;
  post(journal::archive_exec{
    {exec_id, place.mapped().queued, place.mapped().exited}});
}

} // namespace greenroom
