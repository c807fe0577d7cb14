// Webhooks as JSON: for those who manage them, and what their receivers get.
#pragma once

#include "messages/webhooks.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace greenroom {

/// A webhook, without its secret.
nlohmann::ordered_json webhook_json(const webhook_record& webhook);

nlohmann::ordered_json delivery_json(const delivery_record& delivery);

/// The body that a receiver gets, the same at each attempt: `type`,
/// `timestamp`, `data`. The data of an event is the session as the change left
/// it (of reviews only its ids), with the event's own fields.
std::string delivery_body(const due_delivery& what,
                          std::string_view preview_url);

} // namespace greenroom
