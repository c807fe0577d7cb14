// From what was written down to a state that is whole: after a crash of the
// actor or of the node, or when somebody asks for a session that is over.
//
// The record comes from the store, the rest from the session's files. What was
// cut off is taken up by `begin` afterwards.
#pragma once

#include "actors/session/machine/effects.hpp"
#include "actors/session/machine/state.hpp"

#include <cstddef>
#include <list>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace greenroom::session {

/// What the event says that announced the last change of the record. It holds
/// what that change was asked to do.
struct last_change {
  bool announces_setup = false; // session.created, of one with a setup
  caller author;                // checkin.started
  std::string message;
  bool skip_review = false;
  bool auto_merge = false;
};

/// What a session's timeline and files say.
struct past {
  // Execs as their last event has them: all that are not over, and of the
  // others no more than a session keeps.
  std::map<std::string, exec_record> execs;
  std::vector<std::string> order;   // their ids, oldest first
  std::list<std::string> finalized; // those that are over, likewise
  std::set<std::string> sent;       // not over, and the runner was told of it
  // How those ended whose end was not announced, where a file says so.
  std::map<std::string, exec_outcome> outcomes;

  bool listens = false;   // on ports, as last announced
  std::string tip;        // of the branch, as last announced; empty: never
  bool used = false;      // something was done in the checkout
  bool checkout = false;  // which is in its place
  bool elsewhere = false; // another node had it since, so what lies here is old
  bool came = false;      // from another node, at whatever time
  bool removed = false;   // its files, so that nothing is known: it is to end
  bool setup_known = false; // it has been an exec of this session
  last_change last;
};

/// The state of a session that begins.
state first_state(session_record record, limits bounds, std::string setup);

/// Gives a state that `first_state` made its past, and answers with what is to
/// be done about what may still run.
effects recover(state& s, past what);

} // namespace greenroom::session
