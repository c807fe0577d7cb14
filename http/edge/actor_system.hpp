// CAF's actor system, for those who only pass it on to http/edge.
#pragma once

#include <caf/fwd.hpp>

namespace greenroom::http {

using actor_system = caf::actor_system;

} // namespace greenroom::http
