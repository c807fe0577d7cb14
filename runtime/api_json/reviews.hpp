// Reviews as JSON for clients, in openapi.json's shape; see records.hpp.
#pragma once

#include "messages/records.hpp"

#include <nlohmann/json_fwd.hpp>

namespace greenroom {

nlohmann::ordered_json review_json(const review_record& review);

} // namespace greenroom
