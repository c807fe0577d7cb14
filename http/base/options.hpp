// What the HTTP edge needs to know from the configuration.
//
// Lengths of time are bounds of patience: for the actors behind the edge, and
// for clients that take their time. Tests shorten them.
#pragma once

#include "messages/time.hpp"
#include "runtime/base/ip_networks.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace greenroom {
struct config;
}

namespace greenroom::http {

struct options {
  std::string host = "127.0.0.1"; // an address or a name
  std::uint16_t port = 8080;      // 0: any free one
  // How clients reach it; empty: as it listens.
  std::string public_url = "http://127.0.0.1:8080";
  std::filesystem::path data_dir;    // where the logs of execs lie
  std::filesystem::path console_dir; // the web console's files; empty: none
  unsigned threads = 2;
  std::uint64_t max_body = 1024 * 1024;
  std::size_t max_connections = 16384;
  // More names of this server, "*.x" for all below x, "*" for any.
  std::vector<std::string> hosts;
  // What one key may have of streams, one address of connections; 0: half of
  // the connections, and all but a sixteenth of them.
  std::size_t max_streams_of_key = 0;
  std::size_t max_streams_of_project = 0; // 0: no limit
  std::size_t max_connections_of_address = 0;

  // Sessions that one key may create in a minute, and one project may have
  // created in it; 0: no limit.
  std::uint32_t creates_of_key = 0;
  std::uint32_t creates_of_project = 0;

  // Where webhooks of projects, and those of sessions, may lead beside public
  // addresses.
  std::vector<ip_network> webhook_networks;
  std::vector<ip_network> session_webhook_networks;

  // Requests that wait for actors, per thread; more are refused as overloaded.
  std::size_t max_in_flight = 4096;

  millis default_expiry = 24 * 60 * 60 * 1000;
  millis max_expiry = 30LL * 24 * 60 * 60 * 1000;

  // How long the answer of an actor may take.
  std::chrono::milliseconds look_up{5'000};
  std::chrono::milliseconds ordinary{30'000};
  // Of a project's owner, where the store of a cluster can answer as well.
  std::chrono::milliseconds owner{3'000};
  std::chrono::milliseconds change{120'000};   // create and check-in
  std::chrono::milliseconds wait_slack{5'000}; // on top of a request's own wait

  // Streams: a comment after this much silence; and how long one write of at
  // most 64 KiB may take before the reader counts as gone.
  std::chrono::milliseconds heartbeat{5'000};
  std::chrono::milliseconds write_timeout{60'000};

  // How long streams that are open wait for a session that has gone, with its
  // node or without, to be found again.
  std::chrono::milliseconds return_timeout{12'000};

  // How long a client may take to send a request, idle time included.
  std::chrono::milliseconds read_timeout{60'000};

  // How long a connection may wait for a request from who has been granted
  // nothing yet; to the API, from who has shown no key.
  std::chrono::milliseconds idle_of_strangers{10'000};
  // Who comes where there is no room has so long to show a key.
  std::chrono::milliseconds trial_of_strangers{1'000};

  // Git over HTTP: beside the API, and where a host is named there too.
  std::string git_host;
  std::uint16_t git_port = 0; // 0: any free one
  std::string git_url;        // how clients reach it; empty: as it listens
  std::uint64_t max_push = std::uint64_t{256} << 20;
  // How long a client of git may take for the head of a request, and for each
  // step of a transfer; connections wait that long for another request, too.
  std::chrono::milliseconds git_head_timeout{10'000};
  std::chrono::milliseconds git_timeout{60'000};

  // Previews, on a listener of their own so that their pages share no origin
  // with the API; no host: there are none.
  std::string preview_host;
  std::uint16_t preview_port = 0;                   // 0: any free one
  std::string preview_domain = "preview.localhost"; // empty: they are paths
  // How browsers reach the listener; empty: http, as it listens. Of names its
  // scheme and port count, of paths all of it.
  std::string preview_url;
  // How long one step of a preview's client or app may take.
  std::chrono::milliseconds preview_timeout{60'000};
};

/// The options that a configuration asks for.
options options_from(const config& from);

} // namespace greenroom::http
