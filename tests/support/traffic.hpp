// What the clients of tests send to nodes and get from them, for who wants to
// hold all of it against what we promise.
//
// The clients tell; a test program may have one observer. Only ports on which
// a node of ours serves its API count: previews and the tests' own servers
// answer as they like.
#pragma once

#include "tests/support/http_client.hpp"
#include "tests/support/sse_client.hpp"

#include <cstdint>
#include <string>

namespace greenroom::test {

struct http_exchange {
  std::string method;
  std::string path; // with the query
  std::string request_type;
  std::string request_body;
  http_reply reply;
  bool whole = true; // false: the reply's body was not read here
};

class traffic_observer {
public:
  traffic_observer() = default;
  traffic_observer(const traffic_observer&) = delete;
  traffic_observer& operator=(const traffic_observer&) = delete;
  virtual ~traffic_observer() = default;

  /// Both on the thread of the client; they do not throw.
  virtual void answered(const http_exchange& exchange) = 0;
  virtual void streamed(const std::string& path, const sse_event& event) = 0;
};

/// From now on this one is told; null: nobody is. It must outlive the clients.
void observe_traffic(traffic_observer* observer);

/// While one lives nobody is told: for tests that ask in a way that no document
/// promises anything about.
class beside_the_document {
public:
  beside_the_document();
  beside_the_document(const beside_the_document&) = delete;
  beside_the_document& operator=(const beside_the_document&) = delete;
  ~beside_the_document();
};

/// A node serves its API on this port of 127.0.0.1, or no longer.
void api_port_opened(std::uint16_t port);
void api_port_closed(std::uint16_t port);

/// For clients.
void tell_answered(std::uint16_t port, const http_exchange& exchange);
void tell_streamed(std::uint16_t port, const std::string& path,
                   const sse_event& event);

} // namespace greenroom::test
