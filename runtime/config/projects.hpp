// A project as JSON: the same form in the configuration file and in the API.
//
// Bad input is refused as bad_request with a sentence that names the field.
#pragma once

#include "messages/records.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace greenroom {

/// A whole project. `id` and `repo` are needed, the rest has defaults; where
/// `protected_branches` is left out, the default branch is protected.
project_record project_from_json(const nlohmann::json& fields);

/// The form that project_from_json reads, every field in it. `stopped` is no
/// part of it.
nlohmann::ordered_json project_to_json(const project_record& project);

/// `project` with the fields that a PATCH names: text of a JSON object in the
/// form above, plus `status` (`running` or `stopped`). The id cannot change.
project_record changed_project(const project_record& project,
                               std::string_view fields);

} // namespace greenroom
