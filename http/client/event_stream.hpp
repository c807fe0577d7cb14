// Reads a stream of events for as long as somebody wants more of them, over
// connections that break and servers that are away or busy for a while.
#pragma once

#include "http/client/api_client.hpp"
#include "http/client/event_parser.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>

namespace greenroom::http::client {

/// Gives `take` one event after the other, each once, until it returns false or
/// the server says that there will be no more. `after` is an event's id to go
/// on after; empty: as `target` says. A server that turns a first request away
/// for now is told on standard error, and waited for. Throws what it turns away
/// for good (api_error), what `take` throws, and unreachable_server where it
/// was never reached.
asio::awaitable<void>
read_events(asio::io_context& io, api_client& api, std::string target,
            std::string after, std::function<bool(const server_event&)> take);

} // namespace greenroom::http::client
