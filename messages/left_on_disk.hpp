// What ended sessions have left on the disk of one node, asked for by another:
// the node that has their project now need not be the one where they ended.
//
// The directory takes these messages for its own node's disk; the finder before
// it passes them on to the node that they name.
#pragma once

#include "messages/git.hpp"

#include <caf/typed_actor.hpp>

#include <string>
#include <vector>

namespace greenroom {

/// Removes what the session's end has kept on the node's disk. Refused as
/// conflict while the session is live, as unavailable where the node is not
/// reachable, with a sentence that names it. Done where nothing is there.
struct drop_left_work {
  std::string node;
  std::string session_id;
  caller by = {};
};
GREENROOM_INSPECT(drop_left_work, x.node, x.session_id, x.by)

/// Which of these sessions have a checkout on the node's disk, and how large.
struct measure_left_work {
  std::string node;
  std::vector<std::string> session_ids;
};
GREENROOM_INSPECT(measure_left_work, x.node, x.session_ids)

/// The directory, or the finder, as whoever looks after disks sees it. A node
/// of an older version does not know these and says nothing.
using left_work_actor =
  caf::typed_actor<caf::replies_to<drop_left_work>::with<done>,
                   caf::replies_to<measure_left_work>::with<kept_files_list>>;

} // namespace greenroom
