// git's framing: four hex digits of length, themselves included, then bytes.
//
// All of it is what strangers send: lengths are bounded and nothing is trusted.
#pragma once

#include "http/wire/message.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http::git_http {

/// The largest packet, its length included.
inline constexpr std::size_t max_packet = 65520;

/// "0000", the end of a list.
inline constexpr std::string_view flush_packet = "0000";

class bad_packet : public wire::bad_message {
public:
  bad_packet()
    : wire::bad_message(400, "what was sent is not framed as git does") {}
};

struct packet {
  std::string_view payload; // empty in a special packet
  bool special = false;     // flush, delimiter or end: it has a length below 4
  std::size_t size = 0;     // on the wire
};

/// The packet that `bytes` begin with; nullopt where more of it has to come.
/// Throws bad_packet.
std::optional<packet> first_packet(std::string_view bytes);

/// One packet of at most max_packet - 4 bytes.
std::string make_packet(std::string_view payload);

/// The text of a packet without the line break that git adds.
std::string_view without_line_break(std::string_view payload) noexcept;

} // namespace greenroom::http::git_http
