// The fields of a webhook in request bodies, checked alike wherever they stand.
//
// Each throws refused bad_request, with a sentence that begins with the field.
#pragma once

#include "http/base/options.hpp"
#include "messages/project.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace greenroom::http {

/// `of_session`: of a webhook that is told of one session alone.
std::string checked_webhook_url(std::string url, const options& rules,
                                bool of_session = false);

/// What a webhook's is changed to. Of which kind it is only its record tells,
/// so what either kind may lead to is taken; each delivery holds it to its own.
std::string changed_webhook_url(std::string url, const options& rules);

/// Sorted, each once.
std::vector<std::string> checked_webhook_types(std::vector<std::string> types,
                                               bool of_session = false);

std::string checked_webhook_description(std::string text);

/// The webhooks that a session is to be made with; `list` may be null. Those
/// that bring no secret get one.
std::vector<session_webhook> read_session_webhooks(const nlohmann::json* list,
                                                   const options& rules);

} // namespace greenroom::http
