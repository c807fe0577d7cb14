// What can be wrong, planted to see that it would be found.
#pragma once

namespace greenroom::simulation {

struct flaws {
  bool no_epoch_check = false; // a session's writes go in whoever owns it
  bool early_takeover = false; // others wait for half of the lease only
  // A renewal that was answered counts from when the answer was read, however
  // long the process stood still before that.
  bool renewed_after_pause = false;
  bool always_speaks = false;   // a node acknowledges whatever its lease
  bool seq_starts_anew = false; // events of a new owner begin at 1
  bool no_constraints = false;  // slots and branches are for the code to keep
};

} // namespace greenroom::simulation
