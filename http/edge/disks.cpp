#include "http/edge/disks.hpp"

#include <caf/actor_cast.hpp>

namespace greenroom::http {

left_work_actor disks_of(const directory_actor& directory) {
  return caf::actor_cast<left_work_actor>(directory);
}

} // namespace greenroom::http
