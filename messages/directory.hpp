// Messages to the directory, and its interface.
//
// One per node: from an id to the handle of the actor that answers for it;
// keeps the projects. Delegates, and relays nothing.
#pragma once

#include "messages/project.hpp"
#include "messages/supervisor.hpp"

#include <caf/typed_actor.hpp>

#include <string>
#include <vector>

namespace greenroom {

/// Answered with the project's handle, or not_found "project not found".
struct find_project {
  std::string project_id;
};
GREENROOM_INSPECT(find_project, x.project_id)

struct list_projects {};
GREENROOM_INSPECT(list_projects)

struct project_list {
  std::vector<project_record> projects; // by id
};
GREENROOM_INSPECT(project_list, x.projects)

struct get_project {
  std::string project_id;
};
GREENROOM_INSPECT(get_project, x.project_id)

/// Refused with project_exists where the id is taken.
struct create_project {
  project_record project;
  caller by = {};
};
GREENROOM_INSPECT(create_project, x.project, x.by)

/// `fields` is a JSON object with the fields to change, in the form of the
/// configuration file plus `status`.
struct change_project {
  std::string project_id;
  std::string fields;
  caller by = {};
};
GREENROOM_INSPECT(change_project, x.project_id, x.fields, x.by)

/// Refused with conflict while the project has live sessions.
struct delete_project {
  std::string project_id;
  caller by = {};
};
GREENROOM_INSPECT(delete_project, x.project_id, x.by)

using directory_actor = caf::typed_actor<
  // A project's handle.
  caf::replies_to<find_project>::with<project_actor>,
  // A session's handle.
  caf::replies_to<find_session>::with<session_actor>,
  // All projects.
  caf::replies_to<list_projects>::with<project_list>,
  // One project's settings.
  caf::replies_to<get_project>::with<project_record>,
  // Makes a project.
  caf::replies_to<create_project>::with<project_record>,
  // Changes a project's settings.
  caf::replies_to<change_project>::with<project_record>,
  // Removes a project that has no live session.
  caf::replies_to<delete_project>::with<done>>;

} // namespace greenroom
