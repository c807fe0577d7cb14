// Messages that several actors take.
#pragma once

#include "messages/inspect.hpp"
#include "messages/records.hpp"
#include "messages/time.hpp"

namespace greenroom {

/// Done; there is nothing more to say. (CAF drops a bare unit on the way.)
struct done {};
GREENROOM_INSPECT(done)

/// The directory tells a project and the supervisor of new rules.
struct project_changed {
  project_record project;
};
GREENROOM_INSPECT(project_changed, x.project)

/// The supervisor's clock, at the time that the session armed (or later).
struct clock_tick {
  unix_ms now = 0;
};
GREENROOM_INSPECT(clock_tick, x.now)

} // namespace greenroom
