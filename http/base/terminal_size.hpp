// The size of a terminal, as bodies and WebSocket messages state it.
#pragma once

#include "messages/session.hpp"

namespace greenroom::http {

class object_reader;

/// `rows` and `cols`, both needed. The exec's id is left empty. Throws refused
/// bad_request.
greenroom::resize_exec read_size(object_reader& fields);

} // namespace greenroom::http
