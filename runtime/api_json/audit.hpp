// An entry of the audit, as clients see it.
#pragma once

#include "messages/audit.hpp"

#include <nlohmann/json_fwd.hpp>

namespace greenroom {

/// What the entry has not is left out.
nlohmann::ordered_json audit_json(const audit_entry& entry);

} // namespace greenroom
