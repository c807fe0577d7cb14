// The sockets between the nodes of a cluster: each two nodes have one link, for
// the actors' messages, and as many streams as there are conversations whose
// bytes pass from one to the other.
//
// Of two nodes the one whose name sorts first dials the link, again and again
// with growing pauses; a link is gone before the next one comes. The other one
// tells it once that it is there, so that nobody waits for the next look into
// the store, or for the end of a pause. Who connects to us is greeted
// (greeting.hpp) within a deadline, so many at a time; beyond that the one who
// has taken longest is dropped. Strangers are counted, and named in the log now
// and then.
//
// One thread, on which all callbacks are called. Functions are for any thread.
#pragma once

#include "runtime/base/fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace spdlog {
class logger;
}

namespace greenroom::peer {

/// PEM files, as cluster.tls names them.
struct certificate_files {
  std::string cert;
  std::string key;
  std::string ca;
};

struct mesh_options {
  std::string node;         // this node's name
  std::string cluster;      // the same for all nodes of a store
  std::string incarnation;  // of this process
  std::string actor_system; // what CAF calls this node
  std::string host;         // where to listen
  std::uint16_t port = 0;   // 0: any
  certificate_files tls;
  std::chrono::milliseconds heartbeat{2'000};
  std::chrono::milliseconds timeout{10'000}; // of silence
  std::chrono::milliseconds connect{2'000};
  std::chrono::milliseconds handshake{3'000};
  std::chrono::milliseconds first_pause{200}; // between dials; doubles
  std::chrono::milliseconds longest_pause{5'000};
  std::size_t max_handshakes = 128;
};

/// A node to be linked with, and where it listens.
struct known_node {
  std::string node;
  std::string host;
  std::uint16_t port = 0;
  friend bool operator==(const known_node&, const known_node&) = default;
};

struct link_info {
  std::uint64_t number = 0; // of this link, unique in this process
  std::string node;
  std::string incarnation; // of its process
  bool dialed = false;     // by this node
};

struct mesh_listener {
  /// There is a link: take() its bytes.
  std::function<void(const link_info&)> up;
  /// It is gone. There is none with that node until it is released.
  std::function<void(const link_info&, const std::string& why)> down;
  /// A node cannot be linked with; told once for each new reason.
  std::function<void(const std::string& node, const std::string& why)> trouble;
  /// Another node wants to talk to a service of this one: a socket that is
  /// connected to it, or is being so; empty: there is no such service. May be
  /// empty itself.
  std::function<unique_fd(const std::string& node, const std::string& service)>
    serve;
  /// Another node says that it is there now, perhaps before it is known here.
  /// May be empty.
  std::function<void(const std::string& node)> arrived = {};
};

struct mesh_counters {
  std::uint64_t strangers = 0; // refused, of whatever kind
  std::uint64_t late = 0;      // of these: did not greet in time
  std::uint64_t crowded_out = 0;
  std::uint64_t objected = 0; // nodes of ours that do not fit
  std::uint64_t greeting = 0; // at the moment
};

class mesh {
public:
  /// Reads the certificates. Throws std::runtime_error with a sentence.
  mesh(mesh_options options, std::shared_ptr<spdlog::logger> log);
  mesh(const mesh&) = delete;
  mesh& operator=(const mesh&) = delete;

  ~mesh();

  /// Binds, and returns the port. Throws std::runtime_error.
  std::uint16_t listen();

  /// After listen(). Serves who has connected meanwhile, too.
  void start(mesh_listener listener);

  /// Ends all connections, of which the listener is told. Harmless when done
  /// twice.
  void stop();

  /// All other nodes as they are known now. Links with nodes that are not named
  /// any more are cut.
  void set_nodes(std::vector<known_node> nodes);

  /// One end of a socket pair, the other of which is the link; empty where it
  /// was taken already, or the link is gone.
  unique_fd take(std::uint64_t link);

  /// Ends a link; `down` is told.
  void cut(std::uint64_t link, std::string why);

  /// Nothing of a link that is down is left, there may be a new one.
  void release(std::uint64_t link);

  /// Called with a socket to the node, or with an empty one and why.
  using opened = std::function<void(unique_fd bytes, const std::string& why)>;
  void open_stream(const std::string& node, const std::string& service,
                   opened then);

  mesh_counters counters() const;

private:
  class loop;
  std::shared_ptr<loop> loop_;
};

} // namespace greenroom::peer
