// The log of a node: one line per request and per change of a session.
#pragma once

#include "runtime/config/config.hpp"

namespace greenroom {

/// Makes the process's default logger: to stderr, written by a thread of its
/// own. When stderr takes no more, the oldest waiting lines are dropped rather
/// than any request held up.
void start_logging(const log_config& rules);

/// From now on.
void set_log_level(log_level level);

/// Writes what is waiting.
void stop_logging();

/// The same for a process that is about to exit while its threads still log:
/// what they log from now on is lost. Ends the process where the log takes no
/// more.
void drain_logging();

} // namespace greenroom
