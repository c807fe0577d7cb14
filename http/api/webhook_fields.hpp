// The fields of a webhook in request bodies, checked alike wherever they stand.
//
// Each throws refused bad_request, with a sentence that begins with the field.
#pragma once

#include "messages/project.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace greenroom::http {

std::string checked_webhook_url(std::string url);

/// Sorted, each once. `of_session`: of a webhook that is told of one alone.
std::vector<std::string> checked_webhook_types(std::vector<std::string> types,
                                               bool of_session = false);

std::string checked_webhook_description(std::string text);

/// The webhooks that a session is to be made with; `list` may be null. Those
/// that bring no secret get one.
std::vector<session_webhook> read_session_webhooks(const nlohmann::json* list);

} // namespace greenroom::http
