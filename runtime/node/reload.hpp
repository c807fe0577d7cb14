// What a running node takes over of a configuration that is read anew.
#pragma once

#include "messages/directory.hpp"
#include "messages/links.hpp"
#include "messages/operations.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/config/config.hpp"
#include "runtime/node/configured_projects.hpp"

#include <filesystem>
#include <string>

namespace greenroom {

/// The parts of the node that a change reaches. All must outlive a call.
struct reload_parts {
  caf::actor_system& system;
  directory_actor directory;
  shared_registry_actor registry;
  operations_actor operations; // keeps the audit
  key_ring& keys;
  project_faults& faults; // loses those of projects that are set
  std::string node;
  std::filesystem::path data_dir;
};

/// Sets the projects that `now` has new or in another form, by whichever node
/// owns them, and the log's level. The log names all other keys that differ:
/// they hold once the node is started again. Waits for the store; what it does
/// not take is logged, and the rest goes on; false then, and the next reading
/// is to be compared with `before` again. What was changed or refused is in the
/// audit, by `configuration`.
bool apply_changes(const reload_parts& to, const config& before,
                   const config& now);

/// Reads the administrator's key again. Another one holds at once, and streams,
/// logins and tickets of the one before are over. Where it cannot be read or is
/// none, the one before stays, which the log says in a line.
void renew_admin_key(const reload_parts& to, const config& now);

} // namespace greenroom
