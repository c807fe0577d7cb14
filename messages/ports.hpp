// The TCP ports that a session's programs listen on: what previews and tunnels
// are made of.
//
// A session's own network is its sandbox's; without a sandbox its ports are
// those of the host's loopback that one of its own processes listens on. No
// other address and no other session's port can be reached by this.
#pragma once

#include "messages/inspect.hpp"
#include "messages/time.hpp"

#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace greenroom {

/// A descriptor inside a message, for actors of one process: whoever takes it
/// first owns it, and one that nobody takes is closed with the last copy of
/// the message. It never crosses nodes: there it arrives empty.
class passed_fd {
public:
  passed_fd() = default;

  /// Owns `fd` from now on.
  explicit passed_fd(int fd) : held_(std::make_shared<held>(fd)) {}

  /// The descriptor, now the caller's to close; -1 where somebody has it
  /// already, or there never was one. May be called from any thread.
  int take() const noexcept {
    return held_ ? held_->fd.exchange(-1) : -1;
  }

  template <class Inspector>
  friend typename Inspector::result_type inspect(Inspector& f, passed_fd&) {
    return f(caf::meta::type_name("passed_fd"));
  }

private:
  struct held {
    explicit held(int owned) : fd(owned) {}
    held(const held&) = delete;
    held& operator=(const held&) = delete;
    ~held() {
      if (fd >= 0)
        ::close(fd);
    }
    std::atomic<int> fd;
  };

  std::shared_ptr<held> held_;
};

struct listening_port {
  std::uint16_t port = 0;
  std::string address; // "127.0.0.1", "0.0.0.0", "::1", "::"; others as printed
  std::string process; // its program's name; empty: not known
  std::string exec_id; // of the exec that started it; empty: not known
  friend bool operator==(const listening_port&,
                         const listening_port&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, listening_port& x) {
  return f(caf::meta::type_name("listening_port"), x.port, x.address, x.process,
           x.exec_id);
}

/// Whether one of them is this port, where connect_port gets to it: it goes to
/// 127.0.0.1 and ::1.
bool is_served(const std::vector<listening_port>& ports, std::uint16_t port);

// -- to a session -------------------------------------------------------------

/// Connects to the port inside the session: to 127.0.0.1, then to ::1.
/// Answered within connect_port_timeout. Refused with unavailable where nothing
/// listens there or no command has run yet; worth another try.
struct connect_port {
  std::uint16_t port = 0; // 1 to 65535
};
GREENROOM_INSPECT(connect_port, x.port)

/// How long a session takes at most to answer connect_port, in milliseconds.
inline constexpr millis connect_port_timeout = 5'000;

/// A connected TCP socket, non-blocking and closed on exec, to be taken by
/// whoever asked.
struct port_connection {
  passed_fd socket;
};
GREENROOM_INSPECT(port_connection, x.socket)

/// Answered with the ports that the session is known to listen on; what has
/// changed within the last second may be missing.
struct list_ports {};
GREENROOM_INSPECT(list_ports)

struct port_list {
  std::vector<listening_port> ports;  // by port, then address
  std::vector<listening_port> closed; // that were listened on before: the last
                                      // of each port, at most max_closed_ports
};
GREENROOM_INSPECT(port_list, x.ports, x.closed)

inline constexpr std::size_t max_closed_ports = 32;

// -- from the runner link to a session ----------------------------------------

/// The ports that the session listens on are now these.
struct ports_changed {
  std::vector<listening_port> ports; // all, by port, then address
};
GREENROOM_INSPECT(ports_changed, x.ports)

/// What became of a runner_link::connect. `ticket` is the session's own.
struct port_connected {
  std::uint64_t ticket = 0;
  passed_fd socket;
  std::string problem; // not empty: there is none, and why
};
GREENROOM_INSPECT(port_connected, x.ticket, x.socket, x.problem)

} // namespace greenroom
