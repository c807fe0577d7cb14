// The events of all sessions that a key sees, live.
#include "http/client/commands.hpp"

#include "http/client/backoff.hpp"
#include "http/client/errors.hpp"
#include "http/client/event_parser.hpp"
#include "http/client/printable.hpp"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace greenroom::http::client {

namespace {

// The server breaks a silence every 5 s.
constexpr std::chrono::seconds longest_silence{20};

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
                     "review_id", "status_reason"})
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
    json line{{"id", event.id}, {"type", event.type}};
    line.update(data);
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

class events_reader {
public:
  events_reader(invocation& now, const events_options& options)
    : now_(now), options_(options), how_(now.options.how_to_print()) {}

  asio::awaitable<int> run();

private:
  request next_request() const;
  asio::awaitable<void> read_once();
  bool enough() const noexcept {
    return options_.count != 0 && shown_ >= options_.count;
  }

  invocation& now_;
  const events_options& options_;
  const printing how_;
  event_parser events_;
  std::uint64_t shown_ = 0;
  bool was_there_ = false;
};

request events_reader::next_request() const {
  request what;
  what.target = "/events?from=";
  what.target += options_.earliest ? "earliest" : "now";
  if (!now_.options.project.empty())
    what.target += "&project=" + escaped(now_.options.project);
  if (!options_.sessions.empty())
    what.target += "&session=" + escaped(options_.sessions);
  if (!options_.types.empty())
    what.target += "&types=" + escaped(options_.types);
  auto& after = events_.last_id().empty() ? options_.after : events_.last_id();
  if (!after.empty())
    what.headers.add("Last-Event-ID", after);
  return what;
}

asio::awaitable<void> events_reader::read_once() {
  auto what = next_request();
  auto stream = co_await now_.api.open(std::move(what));
  was_there_ = true;
  events_.restart();
  while (!enough()) {
    auto bytes = co_await stream->read(longest_silence);
    if (bytes.empty())
      break;
    events_.feed(bytes);
    while (!enough()) {
      auto event = events_.next();
      if (!event)
        break;
      show(*event, how_);
      ++shown_;
    }
  }
  stream->close();
}

asio::awaitable<int> events_reader::run() {
  backoff pause{now_.io};
  while (!enough()) {
    const auto before = shown_;
    try {
      co_await read_once();
    } catch (const api_error& e) {
      if (!e.worth_retrying())
        throw;
    } catch (const unreachable_server&) {
      if (!was_there_)
        throw;
    } catch (const wire::lost&) {
      // Goes on after the last event.
    }
    if (shown_ != before)
      pause.reset();
    if (!enough())
      co_await pause.wait();
  }
  co_return exit_code::done;
}

asio::awaitable<int> events(invocation& now, const events_options& options) {
  events_reader reader{now, options};
  auto code = co_await reader.run();
  co_return code;
}

} // namespace

void add_event_commands(command_set& set) {
  auto options = std::make_shared<events_options>();
  auto* made =
    set.add(set.root, "events", "Events of all sessions, as they happen",
            [options](invocation& now) { return events(now, *options); });
  made->add_option("--types", options->types,
                   "Only these, as exec.exited,session.ended");
  made->add_option("--session", options->sessions,
                   "Only of these sessions, by id, with commas between");
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
