#include "http/client/live_list.hpp"

#include "http/client/errors.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <unistd.h>
#include <utility>

namespace greenroom::http::client {

namespace {

using clock = std::chrono::steady_clock;

/// A server that has much to tell is not to do nothing else.
clock::duration pause_after(clock::duration asking) {
  return std::max<clock::duration>(std::chrono::seconds{1}, 5 * asking);
}

constexpr std::string_view clear_screen = "\033[H\033[J";

json wanted_of(const json& rows, const live_list& of) {
  if (!of.wanted)
    return rows;
  auto result = json::array();
  for (auto& row : rows)
    if (of.wanted(row))
      result.push_back(row);
  return result;
}

} // namespace

std::string live_view::next(const json& rows) {
  return on_terminal_ && how_.format == output_format::as_table ? whole(rows)
                                                                : changed(rows);
}

std::string live_view::whole(const json& rows) {
  auto text = shown(wanted_of(rows, of_), of_.columns, how_);
  if (std::exchange(shown_, text) == text && std::exchange(begun_, true))
    return {};
  begun_ = true;
  return std::string{clear_screen} + text;
}

// One that leaves the table is told a last time, as it is then.
std::string live_view::changed(const json& rows) {
  auto fresh = json::array();
  std::map<std::string, std::string> now;
  for (auto& row : rows) {
    auto name = row.value(of_.name_field, "");
    auto before = seen_.find(name);
    auto known = before != seen_.end();
    if (!known && of_.wanted && !of_.wanted(row))
      continue;
    auto text = row.dump();
    if (!known || before->second != text)
      fresh.push_back(row);
    if (!of_.wanted || of_.wanted(row))
      now.emplace(std::move(name), std::move(text));
  }
  seen_ = std::move(now);
  return lines_of(fresh);
}

std::string live_view::lines_of(const json& rows) {
  if (how_.format != output_format::as_table) {
    std::string text;
    for (auto& row : rows)
      text += shown(row, of_.columns, how_);
    return text;
  }
  std::vector<std::vector<std::string>> cells;
  if (!std::exchange(begun_, true))
    for (auto& titles = cells.emplace_back(); auto& one : of_.columns)
      titles.push_back(one.title);
  for (auto& row : rows)
    for (auto& line = cells.emplace_back(); auto& one : of_.columns)
      line.push_back(one.text(row));
  return table(cells, widths_);
}

asio::awaitable<int> show_list(invocation& now, live_list what, bool watch) {
  auto how = now.options.how_to_print();
  how.name_field = what.name_field;
  if (!watch) {
    auto rows = co_await what.ask();
    auto wanted = wanted_of(rows, what);
    print(shown(wanted, what.columns, how));
    now.tell_unknown_fields(wanted);
    co_return exit_code::done;
  }
  live_view view{what, how, ::isatty(STDOUT_FILENO) == 1};
  asio::steady_timer timer{now.io};
  now.api.wait_for_long({});
  while (true) {
    auto begun = clock::now();
    auto rows = co_await what.ask();
    print(view.next(rows));
    timer.expires_after(pause_after(clock::now() - begun));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

} // namespace greenroom::http::client
