#include "http/api/webhook_fields.hpp"

#include "http/base/json_body.hpp"
#include "messages/errors.hpp"
#include "messages/webhooks.hpp"
#include "runtime/webhooks/signature.hpp"
#include "runtime/webhooks/url.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace greenroom::http {

namespace {

constexpr std::size_t max_description = 200;

/// What becomes of other webhooks is the project's affair.
bool is_told(std::string_view type, bool of_session) {
  return std::ranges::find(webhook_types, type) != std::end(webhook_types)
         && !(of_session && type == webhook_disabled);
}

session_webhook read_session_webhook(const nlohmann::json& object,
                                     const options& rules) {
  object_reader fields{object};
  session_webhook result;
  auto url = fields.text("url");
  auto types = fields.text_list("types");
  auto description = fields.text("description");
  auto secret = fields.text("secret");
  fields.done();
  if (!url)
    refuse("url is required: where deliveries are sent");
  result.url = checked_webhook_url(std::move(*url), rules, true);
  result.types = checked_webhook_types(
    std::move(types).value_or(std::vector<std::string>{}), true);
  result.description =
    checked_webhook_description(std::move(description).value_or(""));
  if (secret && !is_webhook_secret(*secret))
    refuse("secret must be whsec_ and a key of 24 to 64 bytes in base64");
  result.secret = secret ? std::move(*secret) : make_webhook_secret();
  return result;
}

} // namespace

std::string checked_webhook_url(std::string url, const options& rules,
                                bool of_session) {
  const auto to = parse_webhook_url(url);
  if (of_session)
    check_receiver(to, rules.session_webhook_networks, allowed_to_sessions);
  else
    check_receiver(to, rules.webhook_networks, allowed_to_projects);
  return url;
}

std::string changed_webhook_url(std::string url, const options& rules) {
  auto either = rules.webhook_networks;
  either.insert(either.end(), rules.session_webhook_networks.begin(),
                rules.session_webhook_networks.end());
  check_receiver(parse_webhook_url(url), either, allowed_to_projects);
  return url;
}

std::vector<std::string> checked_webhook_types(std::vector<std::string> types,
                                               bool of_session) {
  std::ranges::sort(types);
  types.erase(std::ranges::unique(types).begin(), types.end());
  for (auto& one : types) {
    if (is_told(one, of_session))
      continue;
    std::string known;
    for (auto type : webhook_types)
      if (is_told(type, of_session))
        known += (known.empty() ? "" : ", ") + std::string{type};
    refuse("types: \"" + one.substr(0, 100)
           + "\" is no type that is delivered, use " + known);
  }
  return types;
}

std::string checked_webhook_description(std::string text) {
  auto is_plain = std::ranges::none_of(
    text, [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (text.size() > max_description || !is_plain)
    refuse("description must be one line of at most "
           + std::to_string(max_description) + " bytes");
  return text;
}

std::vector<session_webhook> read_session_webhooks(const nlohmann::json* list,
                                                   const options& rules) {
  std::vector<session_webhook> result;
  if (list == nullptr)
    return result;
  if (!list->is_array() || list->size() > max_webhooks_of_session)
    refuse("webhooks must be a list of at most "
           + std::to_string(max_webhooks_of_session) + " objects with url");
  for (auto& one : *list) {
    const auto where = "webhooks[" + std::to_string(result.size()) + ']';
    if (!one.is_object())
      refuse(where + " must be an object with url");
    try {
      result.push_back(read_session_webhook(one, rules));
    } catch (const refused& why) {
      throw refused(why.code(), where + ": " + why.what());
    }
  }
  return result;
}

} // namespace greenroom::http
