// The decisions of a session, without an actor, a process or a clock.
//
//   creating → active ⇄ checking_in → ended
//                ├────→ expired
//   creating ────┼────→ terminated
//   creating ────┴────→ failed
//
// `apply` takes what happened and returns what is to be done. It does no I/O
// and knows no clock and no chance: the same history gives the same effects, so
// every state and every event can be tested by itself, and histories of chance
// can be. The session actor (actors/session/session.hpp) performs the effects
// and feeds back what came of them.
//
// An event that nothing has led to changes nothing but a count, which the actor
// watches (state::unexpected).
//
// Changes of the session's own life are stored before they count: `apply`
// returns a `persist` with the record as it will be, and the actor feeds
// `stored` once it is on disk. Until then the machine is `busy()` and holds
// back what may change the record once more; execs go on meanwhile.
//
// A session is active once its checkout is made. Until that is also on disk it
// admits work and begins to end, but nothing is done in the checkout: so it can
// be made anew where a crash or a power cut comes first.
//
// Execs that are over stay in memory until enough younger ones are; the others
// are in the timeline only, and the actor recalls one that is asked for.
#pragma once

#include "actors/session/machine/effects.hpp"
#include "actors/session/machine/events.hpp"
#include "actors/session/machine/state.hpp"

namespace greenroom::session {

/// What is to be done about `what`, in this order.
effects apply(state& s, const any_event& what);

/// What has to end before the session can go to another node, in words; empty:
/// nothing. Of one that is over nothing ever goes.
std::string what_goes_on(const state& s);

/// The next time at which the session needs a tick: a warning or its end.
/// 0 where it needs none.
unix_ms next_deadline(const session_record& record) noexcept;

/// The smallest expiry warning that no longer makes sense when a session has
/// `remaining` left: what `record.warned` is set to when a deadline is set.
millis first_warning(millis remaining) noexcept;

} // namespace greenroom::session
