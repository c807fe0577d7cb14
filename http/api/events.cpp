#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/session_subscriptions.hpp"
#include "http/streams/response_registry.hpp"
#include "http/streams/sse_stream.hpp"
#include "runtime/auth/api_keys.hpp"

#include <charconv>

namespace greenroom::http::handlers {

namespace {

/// The header of a client that was given one of its own and appends its latest
/// is a list: the last is what it got last.
std::string_view last_of_list(std::string_view ids) {
  auto comma = ids.rfind(',');
  return trimmed(comma == std::string_view::npos ? ids : ids.substr(comma + 1));
}

/// Where the stream begins: the header wins over the query's id, and both over
/// `from`.
watch_start read_start(const exchange& ex, const query_params& query) {
  using enum watch_start::kind;
  if (!ex.in.last_event_id.empty())
    return {resumed,
            read_event_id("Last-Event-ID", last_of_list(ex.in.last_event_id))};
  if (auto id = query.get("last_event_id"))
    return {resumed, read_event_id("last_event_id", *id)};
  auto from = query.get("from");
  if (!from)
    return {unsaid, {}};
  if (*from == "now")
    return {now, {}};
  if (*from == "earliest")
    return {after, {}};
  event_id id;
  if (!parse(*from, id))
    throw refused(errc::bad_request,
                  "from must be earliest, now or an event id");
  return {after, id};
}

/// `cursor` of the timeline: an event id, or its number alone.
std::uint64_t read_cursor(const query_params& query) {
  auto text = query.get("cursor");
  if (!text)
    return 0;
  event_id id;
  if (parse(*text, id))
    return id.seq;
  std::uint64_t seq = 0;
  auto end = text->data() + text->size();
  auto [stop, error] = std::from_chars(text->data(), end, seq);
  if (error != std::errc{} || stop != end)
    throw refused(errc::bad_request, "cursor must be an event id, like 3-17");
  return seq;
}

void start_stream(const exchange_ptr& ex, const session_actor& session,
                  const watch_start& start, const event_filter& filter) {
  auto& env = ex->env;
  env.streams.admit(*ex);
  auto one = std::make_shared<stream>(ex, start, filter);
  if (env.streams.add(one))
    one->join(env.session_subscriptions.of(env, ex->project_id(),
                                           ex->session_id(), session));
}

} // namespace

void watch_events(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  auto start = read_start(*ex, query);
  auto filter = read_filter(query);
  with_session(ex, [ex, start, filter](const session_actor& session) {
    if (ex->in.head) {
      response head;
      head.content_type = "text/event-stream";
      ex->send(std::move(head));
      return;
    }
    start_stream(ex, session, start, filter);
  });
}

void get_timeline(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  read_in_session<timeline_page>(
    ex, ex->env.options.ordinary,
    read_timeline{read_cursor(query), read_filter(query), query.limit()},
    [ex](const timeline_page& page) {
      ex->reply(200, list_json("events", page.json.view(),
                               page.next_after == 0
                                 ? std::string{}
                                 : std::to_string(page.next_after)));
    });
}

} // namespace greenroom::http::handlers
