// Lists that can be shown once, or kept up to date until one has seen enough.
#pragma once

#include "http/client/commands.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace greenroom::http::client {

struct live_list {
  std::vector<column> columns;
  const char* name_field = "id"; // of a row; tells it from the others
  /// Asks the server for all rows.
  std::function<asio::awaitable<json>()> ask;
  /// Whether one is in the table; empty: all are.
  std::function<bool(const json&)> wanted;
};

/// What is to be printed of a list that is asked for again and again: on a
/// terminal the whole table, each time in place of the one before; else, as
/// kubectl does, each row that is new or has changed, one below the other.
class live_view {
public:
  live_view(const live_list& of, printing how, bool on_terminal)
    : of_(of), how_(std::move(how)), on_terminal_(on_terminal) {}

  /// Empty where nothing is new.
  std::string next(const json& rows);

private:
  std::string whole(const json& rows);
  std::string changed(const json& rows);
  std::string lines_of(const json& rows);

  const live_list& of_;
  const printing how_;
  const bool on_terminal_;
  std::string shown_;                       // the table of before
  std::map<std::string, std::string> seen_; // rows by name, as JSON
  std::vector<std::size_t> widths_;
  bool begun_ = false;
};

/// Once; with `watch` until Ctrl-C. Throws what api_client throws.
asio::awaitable<int> show_list(invocation& now, live_list what, bool watch);

} // namespace greenroom::http::client
