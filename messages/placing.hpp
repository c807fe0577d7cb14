// Making a project on another node, with the rules for where it may be.
//
// A record leaves those out on its way (records.hpp), and to send them as a
// change afterwards would leave a project without rules where that fails.
#pragma once

#include "messages/directory.hpp"

#include <caf/typed_actor.hpp>

namespace greenroom {

/// As create_project, from the node that has chosen this one for the project.
/// A node of an older version does not know it and says nothing: the project is
/// not made there then.
struct place_project {
  project_record project;
  placement_rules placement; // the project's
  caller by = {};
};
GREENROOM_INSPECT(place_project, x.project, x.placement, x.by)

/// The directory, as the finder of another node sees it.
using placing_actor =
  caf::typed_actor<caf::replies_to<place_project>::with<project_record>>;

} // namespace greenroom
