// What a project's actor answers that only asks others: its sessions, and what
// is left of them on disk.
#pragma once

#include "actors/project/project.hpp"

namespace greenroom {

using project_pointer = project_core::stateful_pointer<project_state>;

void list_sessions_of(project_pointer self, list_sessions request,
                      caf::typed_response_promise<session_page> promise);

/// Sessions that are over, and whose files are there all the same.
void list_kept_of(project_pointer self,
                  caf::typed_response_promise<kept_sessions> promise);

} // namespace greenroom
