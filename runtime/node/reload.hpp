// What a running node takes over of a configuration that is read anew.
#pragma once

#include "messages/directory.hpp"
#include "runtime/config/config.hpp"

namespace greenroom {

/// Sets the projects that `now` has new or in another form, by whichever node
/// owns them, and the log's level. The log names all other keys that differ:
/// they hold once the node is started again. Waits for the store; what it does
/// not take is logged, and the rest goes on; false then, and the next reading
/// is to be compared with `before` again.
bool apply_changes(caf::actor_system& system, const directory_actor& directory,
                   const config& before, const config& now);

} // namespace greenroom
