// The size of a terminal, as bodies and WebSocket messages state it.
#pragma once

#include "messages/session.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>

namespace greenroom::http {

class object_reader;

/// `rows` and `cols`, both needed. The exec's id is left empty. Throws refused
/// bad_request.
greenroom::resize_exec read_size(object_reader& fields);

/// The same of a client that goes on drawing whatever comes: other fields count
/// for nothing, a number is made whole and kept within bounds. Nothing where
/// there is no size, or one without a cell.
std::optional<greenroom::resize_exec> any_size(const nlohmann::json& message);

} // namespace greenroom::http
