// Events as they happen: of all sessions that a key sees, or of one.
#include "http/client/commands.hpp"

#include "http/client/errors.hpp"
#include "http/client/event_stream.hpp"
#include "http/client/printable.hpp"
#include "messages/ids.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>

namespace greenroom::http::client {

namespace {

struct events_options {
  std::string types;
  std::string sessions;
  std::string after; // a cursor
  bool earliest = false;
  std::uint64_t count = 0; // 0: without end
};

// What is worth a look of an event, beside when and where.
std::string detail_of(const json& data) {
  std::string result;
  for (auto* name : {"exec_id", "status", "exit_code", "port", "branch",
                     "review_id", "status_reason", "by_name"})
    if (auto field = data.find(name); field != data.end() && !field->is_null())
      result +=
        (result.empty() ? "" : " ") + std::string{name} + '='
        + (field->is_string() ? field->get<std::string>() : field->dump());
  return result;
}

void show(const server_event& event, const printing& how) {
  auto data = json::parse(event.data, nullptr, false);
  if (!data.is_object())
    data = json::object();
  if (how.format == output_format::as_names) {
    print(event.id + '\n');
    return;
  }
  if (how.format == output_format::as_json) {
    // A session's own `id` is in `session_id`, too.
    auto line = data;
    line["id"] = event.id;
    line["type"] = event.type;
    if (!how.fields.empty()) {
      json chosen;
      for (auto& field : how.fields)
        chosen[field] = line.value(field, json{});
      line = std::move(chosen);
    }
    print(line.dump(-1, ' ', false, json::error_handler_t::replace) + '\n');
    return;
  }
  auto type = event.type;
  type.resize(std::max<std::size_t>(type.size(), 16), ' ');
  auto text = data.value("time", "-") + "  " + data.value("session_id", "-")
              + "  " + type;
  if (auto detail = detail_of(data); !detail.empty())
    text += "  " + detail;
  print(printable(text) + '\n');
}

/// Ids of what is named with commas between.
asio::awaitable<std::string> session_ids(invocation& now, std::string words) {
  std::string ids;
  for (std::size_t at = 0; at <= words.size();) {
    auto end = std::min(words.find(',', at), words.size());
    auto word = words.substr(at, end - at);
    at = end + 1;
    if (word.empty())
      continue;
    if (!is_id(word)) {
      auto found = co_await now.session(std::move(word));
      word = found.id;
    }
    ids += (ids.empty() ? "" : ",") + word;
  }
  co_return ids;
}

std::string target_of(const invocation& now, const events_options& options,
                      const std::string& sessions) {
  std::string target = "/events?from=";
  target += options.earliest ? "earliest" : "now";
  if (auto project = project_of_user(now.options.project); !project.empty())
    target += "&project=" + escaped(project);
  if (!sessions.empty())
    target += "&session=" + escaped(sessions);
  if (!options.types.empty())
    target += "&types=" + escaped(options.types);
  return target;
}

asio::awaitable<int> events(invocation& now, const events_options& options) {
  const auto how = now.options.how_to_print();
  std::uint64_t shown = 0;
  std::function<bool(const server_event&)> take =
    [&](const server_event& event) {
      show(event, how);
      ++shown;
      return shown != options.count;
    };
  auto sessions = co_await session_ids(now, options.sessions);
  auto target = target_of(now, options, sessions);
  co_await read_events(now.io, now.api, std::move(target), options.after,
                       std::move(take));
  co_return exit_code::done;
}

std::string joined(const json& words) {
  std::string all;
  for (auto& word : words)
    all += (all.empty() ? "" : " ") + word.get<std::string>();
  return all;
}

// One line an event, and output below it as it comes, but for what would steer
// the terminal: `logs` shows that as it is.
void show_event(const invocation& now, const server_event& event) {
  if (auto how = now.options.how_to_print();
      how.format != output_format::as_table) {
    show(event, how);
    return;
  }
  auto data = json::parse(event.data, nullptr, false);
  if (!data.is_object())
    data = json::object();
  auto line = data.value("time", "") + "  " + event.type;
  constexpr std::array<const char*, 11> telling{
    "exec_id", "status", "exit_code", "command",       "argv",   "stream",
    "data",    "branch", "commit",    "status_reason", "by_name"};
  for (const auto* field : telling)
    if (auto found = data.find(field); found != data.end()) {
      auto text = found->is_string()  ? found->get<std::string>()
                  : found->is_array() ? joined(*found)
                                      : found->dump();
      while (text.ends_with('\n'))
        text.pop_back();
      auto is_output = std::string_view{field} == "data";
      line += "  " + printable(text, is_output ? "\n\t" : "");
    }
  print(line + "\n");
}

asio::awaitable<int> watch(invocation& now, const std::string& word,
                           const std::string& from) {
  auto session = co_await now.session(word);
  auto target = session.path() + "/events?from=" + escaped(from);
  std::function<bool(const server_event&)> take =
    [&](const server_event& event) {
      show_event(now, event);
      return event.type != "session.ended";
    };
  std::string after;
  co_await read_events(now.io, now.api, std::move(target), std::move(after),
                       std::move(take));
  co_return exit_code::done;
}

void add_watch(command_set& set) {
  auto word = std::make_shared<std::string>();
  auto from = std::make_shared<std::string>("now");
  auto* made =
    set.add(set.root, "watch", "The events of a session, as they happen",
            [=](auto& now) { return watch(now, *word, *from); });
  made->add_option("session", *word,
                   "Id, a prefix of it, or branch; else the one that this "
                   "directory stands for");
  made->add_option("--from", *from,
                   "earliest, now, or an event's id; else now");
}

} // namespace

void add_event_commands(command_set& set) {
  add_watch(set);
  auto options = std::make_shared<events_options>();
  auto* made =
    set.add(set.root, "events", "Events of all sessions, as they happen",
            [options](invocation& now) { return events(now, *options); });
  made->add_option("--types", options->types,
                   "Only these, as exec.exited,session.ended");
  made->add_option("--session", options->sessions,
                   "Only of these sessions, with commas between");
  made->add_flag("--earliest", options->earliest,
                 "From the first event that is kept");
  made->add_option("--after", options->after,
                   "Go on after this event: the id of one (-q, -o json)");
  made->add_option("-n,--count", options->count, "End after so many");
  made->footer("A connection that breaks is made again, and no event is lost "
               "or comes twice.\nExample:\n  greenroom events -p demo --types "
               "session.ended -o json | jq .branch");
}

} // namespace greenroom::http::client
