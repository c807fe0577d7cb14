// What two nodes say to each other before anything else, and whether they may
// talk then. No I/O and no state.
//
// Each sends a hello, judges the other's, and says so: an empty objection, or
// the sentence that both log. Whoever is connected is a node of the private
// authority's already; a hello says which one, and of which life.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace greenroom::peer {

/// The versions of frames and hello that this program speaks.
inline constexpr std::uint16_t lowest_version = 1;
inline constexpr std::uint16_t highest_version = 1;

/// Longer hellos and objections are refused.
inline constexpr std::size_t max_hello = 4096;

/// How many bytes may be under way before the first of them is acknowledged.
inline constexpr std::uint32_t default_window = 4 << 20;

enum class purpose : std::uint8_t {
  link,   // the actors' messages, one connection for each two nodes
  stream, // one conversation's bytes
};

/// The service of a stream with which a node tells those that dial it that it
/// is there; nothing else is said. An older node refuses it, and reads of the
/// other in the store.
inline constexpr std::string_view arrival_service = "arrival";

struct hello {
  std::uint16_t lowest = lowest_version;
  std::uint16_t highest = highest_version;
  std::string cluster;      // nodes of one store have the same
  std::string node;         // its name
  std::string incarnation;  // new with each start of the process
  std::string actor_system; // what CAF calls the node
  purpose what = purpose::link;
  std::string service; // of a stream: which of the node's listeners is meant
  std::uint32_t window = default_window;
  friend bool operator==(const hello&, const hello&) = default;
};

/// What came is no hello.
class bad_hello : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// JSON. What a newer version adds is ignored by an older one.
std::string encode(const hello& what);
hello decode_hello(std::string_view text); // throws bad_hello

/// Why these two nodes cannot talk, in a sentence for the logs of both; empty:
/// they can, by the highest version that both speak.
std::string objection(const hello& own, const hello& theirs);

/// Of two nodes the one that connects to the other.
bool dials(std::string_view node, std::string_view other) noexcept;

} // namespace greenroom::peer
