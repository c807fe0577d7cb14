// Fields and parameters that several routes have, read and checked.
//
// What is wrong is thrown as refused bad_request with the sentence of the API.
#pragma once

#include "http/base/parse.hpp"
#include "http/edge/exchange.hpp"
#include "messages/events.hpp"
#include "messages/project.hpp"
#include "messages/session.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::handlers {

/// A session's `expires_in`, not above `limit`.
millis read_expiry(std::string_view text, millis limit);

/// What a list of sessions may be asked for.
greenroom::list_sessions read_listing(const query_params& query);

/// `types` and `exec_id`.
event_filter read_filter(const query_params& query,
                         std::string_view more_type = {},
                         kind_set more_bit = 0);

/// 1 to 65535.
std::uint16_t read_port(std::string_view text);

/// A signal by its name, with or without SIG, or by its number.
std::int32_t read_signal(const nlohmann::json* value);

/// A session's JSON, from its record.
nlohmann::ordered_json shown_session(const exchange& ex,
                                     const session_record& session,
                                     std::size_t running_execs);

/// A session's JSON, an object as its actor has it.
std::string shown_session(const exchange& ex, const session_view& view);

/// Answers with text that is no JSON: a diff.
void send_text(const exchange_ptr& ex, std::string_view text);

/// The directory of an exec's log.
std::filesystem::path exec_log(const exchange& ex);

/// An event id, as `name` calls it in the message.
event_id read_event_id(std::string_view name, std::string_view text);

/// `{"NAME": LIST, "next_cursor": CURSOR?}`; `list` is JSON.
std::string list_json(std::string_view name, std::string_view list,
                      std::string_view next_cursor);

/// What fits a page: `items` in their order, from the one after `cursor` on.
template <class Item, class IdOf>
std::vector<Item> page_of(std::vector<Item> items, const query_params& query,
                          IdOf id_of, std::string& next_cursor) {
  auto limit = query.limit();
  if (auto cursor = query.get("cursor")) {
    auto i = items.begin();
    while (i != items.end() && id_of(*i) != *cursor)
      ++i;
    if (i == items.end())
      throw refused(errc::bad_request,
                    "cursor names nothing in this list (any more); begin "
                    "again without it");
    items.erase(items.begin(), i + 1);
  }
  if (limit != 0 && items.size() > limit) {
    items.resize(limit);
    next_cursor = id_of(items.back());
  }
  return items;
}

} // namespace greenroom::http::handlers
